"""What purging may empty, and nothing else: the seals of versions and of moves, made again with that one way through."""

import hashlib
from importlib import import_module

from django.db import migrations

EMPTY = hashlib.sha256().hexdigest()  # of the directory without entries
FIXED = ["id", "model_id", "number", "digest", "author_id", "author_name", "branch", "created_at"]
EMPTIED = ["tree_id", "message", "metadata_json"]
FIXED_OF_MOVES = ["id", "model_id", "kind", "name", "from_version_id", "to_version_id", "actor_id", "at", "undoes_id"]

# The one UPDATE that purges: of what stood in the trash before it, and it leaves nothing.
PURGES = (
    "(OLD.purged_at IS NULL AND NEW.purged_at IS NOT NULL AND OLD.trashed_at IS NOT NULL AND NEW.trashed_at IS NOT NULL"
    f" AND NEW.tree_id = '{EMPTY}' AND NEW.message = '' AND NEW.metadata_json = '{{}}')"
)
# A comment is taken out of the moves to a version that has been purged: publishing had put its message there.
OF_A_PURGED = "EXISTS (SELECT 1 FROM registry_version v WHERE v.id = OLD.to_version_id AND v.purged_at IS NOT NULL)"


def changed(*columns):
    return "(" + " OR ".join(f'OLD."{column}" <> NEW."{column}"' for column in columns) + ")"


REFUSED = {
    "registry_version": f"{changed(*FIXED)} OR ({changed(*EMPTIED, 'purged_at')} AND NOT {PURGES})"
    f" OR (OLD.purged_at IS NOT NULL AND {changed('trashed_at')})",
    "registry_refmove": f"{changed(*FIXED_OF_MOVES)}"
    f" OR ({changed('comment')} AND NOT (NEW.comment = '' AND {OF_A_PURGED}))",
}


def set_seals(schema_editor, refused_by_table):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for table, refused in refused_by_table.items():
        name, said = f"{table}_sealed", f"sealed: a row of {table} never changes"
        refused = refused.replace("<>", "IS NOT" if sqlite else "IS DISTINCT FROM")
        if sqlite:
            schema_editor.execute(f"DROP TRIGGER {name}")
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({refused})"
                f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
        else:  # the trigger stays, and calls the function that it finds
            schema_editor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {refused} THEN"
                f" RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
            )


def let_purging_through(apps, schema_editor):
    set_seals(schema_editor, REFUSED)


def seal_as_before(apps, schema_editor):
    versions = import_module("registry.migrations.0002_seal_versions").SEALED["registry_version"]
    before = {"registry_version": changed(*versions), "registry_refmove": changed(*FIXED_OF_MOVES, "comment")}
    set_seals(schema_editor, before)


class Migration(migrations.Migration):
    dependencies = [("registry", "0009_trash")]

    operations = [migrations.RunPython(let_purging_through, seal_as_before)]
