"""Migrations run while people work, and older servers go on after them: no growing table is locked for longer than a change
of the catalogue takes, and the newer schema takes what older code writes.

Operations are looked at (tests/migration_rules.py), and on PostgreSQL watched while they run over rows (tests/lock_watch.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, migrations, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Q
from django.db.models.functions import Now, Random
from django.db.utils import NotSupportedError

from lmvp.postgresql.operations import AddCheckWithoutLock, AddIndexWithoutLock, RemoveIndexWithoutLock
from tests.lock_watch import MOST_CHANGED, watched
from tests.long_history import make_long_history
from tests.migration_rules import complaints

# The last migrations of the time before there were these rules; they have run wherever they matter.
FROZEN = {"registry": "0020_direct_uploads", "accounts": "0004_end_unlisted_sessions"}
WATCHED_FROM = [("registry", "0018_strands_of_versions"), ("accounts", "0004_end_unlisted_sessions")]
ROWS = MOST_CHANGED + 200


@pytest.fixture(scope="module")
def now() -> ProjectState:
    """The state of all models behind the newest migrations."""
    return MigrationLoader(None).project_state()


def made_up(*operations: Any, atomic: bool = True) -> migrations.Migration:
    migration = migrations.Migration("9999_made_up", "registry")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


# --- The migrations that there are


def test_newer_migrations_keep_the_rules() -> None:
    loader = MigrationLoader(None)
    newer = [key for key in loader.graph.nodes if key[1] > FROZEN.get(key[0], "~")]
    said = [complaints(loader.get_migration(*key), loader.project_state(key, at_end=False)) for key in sorted(newer)]
    assert [one for each in said for one in each] == []


def test_every_migration_of_ours_is_frozen_or_held_to_the_rules() -> None:
    ours = {app for app, _ in MigrationLoader(None).graph.nodes if app in ("registry", "accounts", "lmvp")}
    assert ours == FROZEN.keys()


@pytest.mark.django_db(transaction=True)
def test_newer_migrations_stop_no_writer_of_what_grows(postgresql: None) -> None:
    with transaction.atomic():
        make_long_history(ROWS)
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate(WATCHED_FROM)
    with watched() as watch:
        MigrationExecutor(connection).migrate(newest)
    assert watch.faults == []


# --- Those that are no single transaction


class BrokeOff(Exception):
    pass


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_broke_off_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = MigrationLoader(None).graph
    piecemeal = [key for key in sorted(graph.nodes) if not graph.nodes[key].atomic and key[0] in FROZEN]
    assert piecemeal
    MigrationExecutor(connection).migrate([node.key for node in graph.node_map[piecemeal[0]].parents])
    for key in piecemeal:
        for place in range(len(graph.nodes[key].operations)):
            with monkeypatch.context() as broken:
                broken.setattr(type(graph.nodes[key]), "operations", _until(graph.nodes[key], place))
                with pytest.raises(BrokeOff):
                    MigrationExecutor(connection).migrate([key])
        MigrationExecutor(connection).migrate([key])
    MigrationExecutor(connection).migrate(graph.leaf_nodes())


def _until(migration: migrations.Migration, last: int) -> list[Any]:
    """Return the operations up to one of them, and then one that breaks."""

    def break_off(apps: Any, schema_editor: Any) -> None:
        raise BrokeOff

    return [*migration.operations[: last + 1], migrations.RunPython(break_off)]


# --- What the rules refuse, and what they let pass


class AnotherType(models.TextField[str, str]):
    """A column that PostgreSQL cannot go on reading as the text that it was."""

    def db_type(self, connection: Any) -> str:
        return "integer"


def index(name: str = "made_up") -> models.Index:
    return models.Index(fields=["message"], name=name)


def check(name: str = "made_up") -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(number__gt=0), name=name)


def text(**more: Any) -> Any:
    return models.CharField(**{"max_length": 10, **more})


def to_user(**more: Any) -> Any:
    return models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+", **more)


def touch(apps: Any, schema_editor: Any) -> None:
    apps.get_model("registry", "Version").objects.update(deprecated="touched")


REFUSED: dict[str, tuple[Any, str]] = {
    "an index": (migrations.AddIndex("version", index()), "AddIndexWithoutLock"),
    "an index with a column": (migrations.AddField("version", "mark", text(null=True, db_index=True)), "db_index"),
    "an index of a key": (migrations.AddField("version", "checker", to_user()), "db_index"),
    "an index without lock in a transaction": (AddIndexWithoutLock("version", index()), "atomic = False"),
    "an index removed": (migrations.RemoveIndex("version", "versions_of_an_author"), "RemoveIndexWithoutLock"),
    "a check": (migrations.AddConstraint("version", check()), "AddCheckWithoutLock"),
    "a unique constraint": (
        migrations.AddConstraint("version", models.UniqueConstraint(fields=["digest"], name="made_up")),
        "unique",
    ),
    "a default for each row": (
        migrations.AddField("version", "mark", models.FloatField(db_default=Random())),
        "for every row",
    ),
    "another type": (migrations.AlterField("version", "message", AnotherType()), "written anew"),
    "a shorter text": (migrations.AlterField("version", "branch", text()), "written anew"),
    "an indexed column": (migrations.AlterField("version", "branch", text(max_length=100, db_index=True)), "anew"),
    "a column that older servers leave out": (
        migrations.AddField("hierarchy", "mark", models.CharField(max_length=10, default="")),
        "db_default",
    ),
    "a column that must be filled": (
        migrations.AlterField("version", "trashed_at", models.DateTimeField(db_default=Now())),
        "NULL",
    ),
    "a column dropped": (migrations.RemoveField("hierarchy", "level_labels"), "older servers"),
    "a column renamed": (migrations.RenameField("hierarchy", "name", "title"), "older servers"),
    "a column dropped in SQL": (
        migrations.RunSQL("ALTER TABLE registry_hierarchy DROP COLUMN level_labels"),
        "older servers",
    ),
    "a table dropped": (migrations.DeleteModel("Invitation"), "older servers"),
    "a table renamed": (migrations.RenameModel("Invitation", "Offer"), "older servers"),
    "on the database alone": (
        migrations.SeparateDatabaseAndState([migrations.AddIndex("version", index())], []),
        "AddIndexWithoutLock",
    ),
}
ALLOWED: dict[str, tuple[bool, list[Any]]] = {
    "without a lock": (
        False,
        [
            AddIndexWithoutLock("version", index()),
            RemoveIndexWithoutLock("version", "versions_of_an_author"),
            AddCheckWithoutLock("version", check()),
        ],
    ),
    "new columns": (
        True,
        [
            migrations.AddField("version", "mark", text(null=True)),
            migrations.AddField("version", "sign", text(default="", db_default="")),
            migrations.AddField("version", "seen_at", models.DateTimeField(db_default=Now())),
            migrations.AddField("version", "checker", to_user(db_index=False)),
        ],
    ),
    "words, a longer text, and no text": (
        True,
        [
            migrations.AlterField("version", "branch", text(max_length=200, help_text="Where it was published.")),
            migrations.AlterField("version", "message", models.TextField(null=True)),
        ],
    ),
    "a new table, and what belongs to it": (
        True,
        [
            migrations.CreateModel("Mark", [("id", models.BigAutoField(primary_key=True)), ("name", text())]),
            migrations.AddField("mark", "by", to_user()),
            migrations.AddIndex("mark", models.Index(fields=["name"], name="marks")),
            migrations.RenameField("mark", "name", "title"),
        ],
    ),
    "what does not grow": (True, [migrations.AddIndex("hierarchy", models.Index(fields=["name"], name="made_up"))]),
    "forgotten by the code alone": (
        True,
        [migrations.SeparateDatabaseAndState([], [migrations.RemoveField("upload", "pieces")])],
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", REFUSED)
def test_refused(now: ProjectState, what: str) -> None:
    operation, words = REFUSED[what]
    said = complaints(made_up(operation), now)
    assert any(words in one for one in said), said


@pytest.mark.django_db
@pytest.mark.parametrize("what", ALLOWED)
def test_allowed(now: ProjectState, what: str) -> None:
    atomic, operations = ALLOWED[what]
    assert complaints(made_up(*operations, atomic=atomic), now) == []


def test_what_cannot_be_run_again_stands_apart_from_what_breaks_off(now: ProjectState) -> None:
    column = migrations.AddField("version", "mark", text(null=True))
    [said] = complaints(made_up(column, AddIndexWithoutLock("version", index()), atomic=False), now)
    assert "Add field mark" in said
    assert "migration of its own" in said


@pytest.mark.parametrize(("since", "refused"), [("0.0.9", False), ("999.0.0", True)])
def test_what_no_code_has_known_since_an_older_release_may_go(now: ProjectState, since: str, refused: bool) -> None:
    dropping = made_up(migrations.RunSQL("ALTER TABLE registry_hierarchy DROP COLUMN level_labels"))
    assert bool(complaints(dropping, now, retired={"registry.9999_made_up": since})) == refused
    assert complaints(dropping, now)


# --- What is seen while they run


def run(migration: migrations.Migration, state: ProjectState) -> ProjectState:
    with connection.schema_editor(atomic=migration.atomic) as editor:
        return migration.apply(state.clone(), editor)


@pytest.fixture
def rows(postgresql: None) -> None:
    """A history with more versions than may be changed at once, and nothing that is put off until the transaction's end."""
    make_long_history(ROWS)


SEEN: dict[str, tuple[list[Any], str]] = {
    "an index": ([migrations.AddIndex("version", index())], "writers of registry_version wait"),
    "a check": ([migrations.AddConstraint("version", check())], "writers of registry_version wait"),
    "a default for each row": (
        [migrations.AddField("version", "mark", models.FloatField(db_default=Random()))],
        "writers of registry_version wait",
    ),
    "another type": (
        [migrations.RunSQL("ALTER TABLE registry_event ALTER COLUMN action TYPE varchar(30)")],
        "writers of registry_event wait",
    ),
    "a column that must be filled": (
        [migrations.RunSQL("ALTER TABLE registry_event ALTER COLUMN actor_id SET NOT NULL")],
        "writers of registry_event wait",
    ),
    "rows read behind a change of the catalogue": (
        [
            migrations.AddField("version", "mark", text(null=True)),
            migrations.RunSQL("SELECT count(*) FROM registry_metric"),
        ],
        "writers of registry_version wait while rows of registry_metric",
    ),
    "all rows at once": ([migrations.RunPython(touch)], "rows changed in one transaction"),
}


@pytest.mark.parametrize("what", SEEN)
def test_what_stops_writers_is_seen(rows: None, now: ProjectState, what: str) -> None:
    operations, words = SEEN[what]
    with watched() as watch:
        run(made_up(*operations), now)
    assert any(words in fault for fault in watch.faults), watch.faults


def test_a_change_of_the_catalogue_alone_is_none(rows: None, now: ProjectState) -> None:
    with watched() as watch:
        run(made_up(*ALLOWED["new columns"][1]), now)
    assert watch.faults == []
    assert "registry_version" in watch.locked  # for a moment, and seen


# --- The operations that lock nothing, on both databases


THINGS = ModelState(
    "registry",
    "Thing",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=10)),
        ("size", models.IntegerField()),
    ],
)


@pytest.fixture
def things(transactional_db: None) -> Iterator[ProjectState]:
    """A table with three rows."""
    state = ProjectState()
    state.add_model(THINGS.clone())
    table = state.apps.get_model("registry", "Thing")
    with connection.schema_editor() as editor:
        editor.create_model(table)
    table.objects.bulk_create(table(name=name, size=size) for name, size in (("a", 1), ("b", 2), ("b", 3)))
    yield state
    with connection.schema_editor() as editor:
        editor.delete_model(table)


def constraints() -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, "registry_thing")


def is_valid(name: str) -> bool:
    """Whether PostgreSQL trusts an index or a check; SQLite knows no others."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = %s"
            " UNION ALL SELECT convalidated FROM pg_constraint WHERE conname = %s",
            [name, name],
        )
        [(valid,)] = cursor.fetchall()
        return bool(valid)


def by_name() -> models.Index:
    return models.Index(fields=["name"], name="things_by_name")


def positive() -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(size__gt=1), name="things_have_size")


def test_an_index_is_added_and_removed(things: ProjectState) -> None:
    there = run(made_up(AddIndexWithoutLock("thing", by_name()), atomic=False), things)
    assert constraints()["things_by_name"]["columns"] == ["name"]
    assert is_valid("things_by_name")
    gone = run(made_up(RemoveIndexWithoutLock("thing", "things_by_name"), atomic=False), there)
    assert "things_by_name" not in constraints()
    run(made_up(AddIndexWithoutLock("thing", by_name()), atomic=False), gone)
    assert is_valid("things_by_name")


@pytest.mark.parametrize("removing", [False, True])
def test_adding_and_removing_an_index_is_taken_back(things: ProjectState, removing: bool) -> None:
    add, remove = AddIndexWithoutLock("thing", by_name()), RemoveIndexWithoutLock("thing", "things_by_name")
    before = run(made_up(add, atomic=False), things) if removing else things
    taken = made_up(remove if removing else add, atomic=False)
    run(taken, before)
    with connection.schema_editor(atomic=False) as editor:
        taken.unapply(before.clone(), editor)
    assert ("things_by_name" in constraints()) == removing


def test_an_index_that_broke_off_is_made_anew(postgresql: None, things: ProjectState) -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY things_by_name ON registry_thing (name)")  # “b” is there twice
    assert not is_valid("things_by_name")
    run(made_up(AddIndexWithoutLock("thing", by_name()), atomic=False), things)
    assert is_valid("things_by_name")
    assert not constraints()["things_by_name"]["unique"]


def test_a_check_holds_for_new_rows_and_then_for_all(things: ProjectState) -> None:
    table = things.apps.get_model("registry", "Thing")
    adding = made_up(AddCheckWithoutLock("thing", positive()), atomic=False)
    with pytest.raises(IntegrityError):
        run(adding, things)
    table.objects.filter(size=1).delete()
    run(adding, things)  # again
    assert constraints()["things_have_size"]["check"]
    assert is_valid("things_have_size")
    with pytest.raises(IntegrityError):
        table.objects.create(name="c", size=0)


def test_a_check_is_taken_back(things: ProjectState) -> None:
    things.apps.get_model("registry", "Thing").objects.filter(size=1).delete()
    adding = made_up(AddCheckWithoutLock("thing", positive()), atomic=False)
    run(adding, things)
    with connection.schema_editor(atomic=False) as editor:
        adding.unapply(things.clone(), editor)
    assert "things_have_size" not in constraints()


def test_other_constraints_are_no_checks() -> None:
    with pytest.raises(TypeError, match="checks"):
        AddCheckWithoutLock("thing", models.UniqueConstraint(fields=["name"], name="things_once"))


@pytest.mark.parametrize(
    "operation",
    [AddIndexWithoutLock("thing", by_name()), AddCheckWithoutLock("thing", positive())],
    ids=["index", "check"],
)
def test_nothing_is_done_without_a_lock_in_a_transaction(postgresql: None, things: ProjectState, operation) -> None:
    with pytest.raises(NotSupportedError, match="atomic = False"):
        run(made_up(operation), things)


def test_operations_without_a_lock_hold_none(postgresql: None, things: ProjectState) -> None:
    things.apps.get_model("registry", "Thing").objects.filter(size=1).delete()
    adding = made_up(AddIndexWithoutLock("thing", by_name()), AddCheckWithoutLock("thing", positive()), atomic=False)
    with watched({"registry_thing"}) as watch:
        run(adding, things)
    assert watch.faults == []
