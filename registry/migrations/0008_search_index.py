"""The full-text index behind /v1/search/: a search table for each kind of thing, kept by the database's own triggers.

PostgreSQL: registry_search_<kind>(id, words tsvector) with a GIN index; SQLite: FTS5 tables of the same names. A row has the
id of what it stands for. Beside the words it carries its scope, in lexemes that no text can hold (a column of its own in
SQLite): p<project>, m<model>, and in PostgreSQL the blocks of ids that it lies in; see registry/models/search.py.

An operation that rebuilds one of these tables on SQLite drops its triggers: make them again in that migration by
`forget(…)` and `keep(…)` (tests/test_search_index.py notices when one is missing).
"""

from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import migrations

# What parts words, in both databases: PostgreSQL's own parser would take "weights.bin" for a host and "a/b" for a path.
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
MOST_CHARACTERS = 10_000  # of a message, and of metadata


@dataclass(frozen=True)
class Kind:
    """`source` reads {rows} (a table, or the rows of one statement) under the name `it`; `columns` are those it reads."""

    name: str
    table: str
    text: str
    scope: tuple[str, ...]
    source: str
    columns: tuple[str, ...]


IN_MODEL = ("'p' || model.project_id", "'m' || model.id")
OF_MODEL = "{rows} it JOIN registry_registeredmodel model ON model.id = it.model_id"
KINDS = (
    Kind(
        "project",
        "registry_project",
        "it.name || ' ' || it.description",
        ("'p' || it.id",),
        "{rows} it",
        ("name", "description"),
    ),
    Kind(
        "model",
        "registry_registeredmodel",
        "project.name || ' ' || it.name || ' ' || it.description",
        ("'p' || it.project_id", "'m' || it.id"),
        "{rows} it JOIN registry_project project ON project.id = it.project_id",
        ("name", "description", "project_id"),
    ),
    Kind(
        "version",
        "registry_version",
        f"substr(it.message, 1, {MOST_CHARACTERS}) || ' ' || it.author_name || ' ' || it.branch || ' ' || it.digest"
        f" || ' ' || replace(substr(it.metadata_json, 1, {MOST_CHARACTERS}), '\\n', ' ')",
        IN_MODEL,
        OF_MODEL,
        ("message", "author_name", "branch", "digest", "metadata_json"),
    ),
    Kind("ref", "registry_ref", "it.name", IN_MODEL, OF_MODEL, ("name",)),
    Kind(  # directories are occurrences too, and left out: their digests are no blobs'
        "file",
        "registry_occurrence",
        "it.path",
        IN_MODEL,
        OF_MODEL + " WHERE EXISTS (SELECT 1 FROM registry_blob blob WHERE blob.sha256 = it.digest)",
        ("path", "digest"),
    ),
)
SQLITE_TABLE = "tokenize='unicode61 remove_diacritics 0', prefix='2 3 4 5 6 7 8'"


class PostgreSQL:
    # Without a list of pending entries: every search would read it, once for each block of ids.
    table = (
        "CREATE TABLE registry_search_{name} (id bigint PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX registry_search_{name}_words ON registry_search_{name} USING gin (words) WITH (fastupdate = off)",
    )

    def prepare(self, schema_editor):
        listed = PUNCTUATION.replace("'", "''")
        schema_editor.execute(
            "CREATE FUNCTION registry_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN"
            f" to_tsvector('pg_catalog.simple'::regconfig, translate(said, '{listed}', '{' ' * len(PUNCTUATION)}'))",
            params=None,  # what it lists is no placeholder
        )

    def clean_up(self, schema_editor):
        schema_editor.execute("DROP FUNCTION registry_words(text)")

    def insert(self, kind, rows, only=""):
        source = kind.source.format(rows=rows)
        source += only and (" AND " if " WHERE " in source else " WHERE ") + only
        scope = ", ".join(f"'/' || {one}" for one in (*kind.scope, "'c' || (it.id >> 10)", "'C' || (it.id >> 14)"))
        return (
            f"INSERT INTO registry_search_{kind.name} (id, words)"
            f" SELECT it.id, registry_words({kind.text}) || array_to_tsvector(ARRAY[{scope}]) FROM {source}"
        )

    def again(self, kind, only):
        return f"{self.insert(kind, kind.table, only)} ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words;"

    def triggers(self, kind):
        """Yield (name, table, when, condition, what it does); for a whole statement where that is possible."""
        name, table = f"registry_search_{kind.name}", kind.table
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in kind.columns)
        fresh, gone = "REFERENCING NEW TABLE AS fresh", "REFERENCING OLD TABLE AS gone"
        once, each = "FOR EACH STATEMENT", f"FOR EACH ROW WHEN ({changed})"
        yield f"{name}_added", table, "INSERT", f"{fresh} {once}", self.insert(kind, "fresh") + ";"
        update = f"UPDATE OF {', '.join(kind.columns)}"
        yield f"{name}_changed", table, update, each, self.again(kind, "it.id = NEW.id")
        gone_too = f"DELETE FROM {name} WHERE id IN (SELECT id FROM gone);"
        yield f"{name}_removed", table, "DELETE", f"{gone} {once}", gone_too
        yield f"{name}_emptied", table, "TRUNCATE", once, f"TRUNCATE {name};"

    def create(self, schema_editor, name, table, event, how, action):
        schema_editor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action} RETURN NULL; END $$"
        )
        schema_editor.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} {how} EXECUTE FUNCTION {name}()")

    def drop(self, schema_editor, name, table):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}()")


class SQLite:
    table = (f"CREATE VIRTUAL TABLE registry_search_{{name}} USING fts5(words, scope, {SQLITE_TABLE})",)

    def prepare(self, schema_editor):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')")
            if not cursor.fetchone()[0]:
                raise ImproperlyConfigured(
                    "This Python's SQLite was built without FTS5, which searching needs. Use another build of Python,"
                    " or PostgreSQL (DATABASE_URL)."
                )

    def clean_up(self, schema_editor):
        pass

    def insert(self, kind, rows, only=""):
        source = kind.source.format(rows=rows)
        source += only and (" AND " if " WHERE " in source else " WHERE ") + only
        scope = " || ' ' || ".join(kind.scope)
        into = f"INSERT INTO registry_search_{kind.name} (rowid, words, scope)"
        return f"{into} SELECT it.id, {kind.text}, {scope} FROM {source}"

    def again(self, kind, only):
        ids = f"SELECT it.id FROM {kind.table} it WHERE {only}"
        forgotten = f"DELETE FROM registry_search_{kind.name} WHERE rowid IN ({ids})"
        return f"{forgotten}; {self.insert(kind, kind.table, only)};"

    def triggers(self, kind):
        name, table = f"registry_search_{kind.name}", kind.table
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in kind.columns)
        each = "FOR EACH ROW"
        yield f"{name}_added", table, "INSERT", each, self.insert(kind, table, "it.id = NEW.id") + ";"
        update = f"UPDATE OF {', '.join(kind.columns)}"
        yield f"{name}_changed", table, update, f"{each} WHEN {changed}", self.again(kind, "it.id = NEW.id")
        yield f"{name}_removed", table, "DELETE", each, f"DELETE FROM {name} WHERE rowid = OLD.id;"

    def create(self, schema_editor, name, table, event, how, action):
        schema_editor.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} {how} BEGIN {action} END")

    def drop(self, schema_editor, name, table):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


def database(connection):
    return SQLite() if connection.vendor == "sqlite" else PostgreSQL()


def triggers(dialect):
    for kind in KINDS:
        yield from dialect.triggers(kind)
    # A model's words include its project's name.
    model = next(kind for kind in KINDS if kind.name == "model")
    renamed = f"FOR EACH ROW WHEN (OLD.name {'IS NOT' if isinstance(dialect, SQLite) else 'IS DISTINCT FROM'} NEW.name)"
    again = dialect.again(model, "it.project_id = NEW.id")
    yield "registry_search_model_moved", "registry_project", "UPDATE OF name", renamed, again


def keep(schema_editor, *tables):
    """Make the triggers of these tables, or of all."""
    dialect = database(schema_editor.connection)
    for name, table, event, how, action in triggers(dialect):
        if not tables or table in tables:
            dialect.create(schema_editor, name, table, event, how, action)


def forget(schema_editor, *tables):
    """Drop the triggers of these tables, or of all, those that a rebuilt table has lost included."""
    dialect = database(schema_editor.connection)
    for name, table, *_ in triggers(dialect):
        if not tables or table in tables:
            dialect.drop(schema_editor, name, table)


def build(apps, schema_editor):
    dialect = database(schema_editor.connection)
    dialect.prepare(schema_editor)
    for kind in KINDS:
        for statement in dialect.table:
            schema_editor.execute(statement.format(name=kind.name))
        schema_editor.execute(f"{dialect.insert(kind, kind.table)} ORDER BY it.id")
    keep(schema_editor)


def tear_down(apps, schema_editor):
    forget(schema_editor)
    for kind in KINDS:
        schema_editor.execute(f"DROP TABLE registry_search_{kind.name}")
    database(schema_editor.connection).clean_up(schema_editor)


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_seal_derivations")]

    operations = [migrations.RunPython(build, tear_down)]
