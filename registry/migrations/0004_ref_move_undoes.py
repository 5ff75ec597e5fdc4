"""A rollback names the move that it undoes; that never changes either, so the seal covers it."""

import django.db.models.deletion
from django.db import migrations, models

TABLE = "registry_refmove"
SEALED = ["id", "model_id", "kind", "name", "from_version_id", "to_version_id", "actor_id", "comment", "at"]
KEPT = (
    "EXISTS (SELECT 1 FROM registry_version v"
    " WHERE v.id = COALESCE(OLD.to_version_id, OLD.from_version_id) AND v.purged_at IS NULL)"
)
# On version parents, and asks this table: SQLite does not let the table be made anew while the trigger is there.
CLOSED = (
    "CREATE TRIGGER registry_versionparent_closed BEFORE INSERT ON registry_versionparent FOR EACH ROW WHEN"
    " (EXISTS (SELECT 1 FROM registry_refmove m WHERE m.to_version_id = NEW.version_id))"
    " BEGIN SELECT RAISE(ABORT, 'sealed: a row of registry_versionparent is not added later'); END"
)


def seal(schema_editor, columns):
    sqlite = schema_editor.connection.vendor == "sqlite"
    other = "IS NOT" if sqlite else "IS DISTINCT FROM"
    changed = " OR ".join(f'OLD."{column}" {other} NEW."{column}"' for column in columns)
    said = f"sealed: a row of {TABLE} never changes"
    if sqlite:
        _sqlite_trigger(schema_editor, "sealed", "UPDATE", changed, said)
    else:  # the trigger stays, and calls what is written here
        schema_editor.execute(
            f"CREATE OR REPLACE FUNCTION {TABLE}_sealed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {changed} THEN"
            f" RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
        )


def _sqlite_trigger(schema_editor, name, event, refused, said):
    schema_editor.execute(f"DROP TRIGGER IF EXISTS {TABLE}_{name}")
    schema_editor.execute(
        f"CREATE TRIGGER {TABLE}_{name} BEFORE {event} ON {TABLE} FOR EACH ROW WHEN ({refused})"
        f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
    )


def seal_undoes_too(apps, schema_editor):
    seal(schema_editor, [*SEALED, "undoes_id"])


def seal_as_before(apps, schema_editor):
    """Before the column goes: a function that names it would refuse every change."""
    seal(schema_editor, SEALED)
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER registry_versionparent_closed")


def seal_again(apps, schema_editor):
    """After the column has gone: SQLite has made the table anew, without its triggers."""
    if schema_editor.connection.vendor == "sqlite":
        seal(schema_editor, SEALED)
        _sqlite_trigger(schema_editor, "kept", "DELETE", KEPT, f"sealed: a row of {TABLE} is never deleted")
        schema_editor.execute(CLOSED)


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_lineage")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, seal_again),
        migrations.AddField(
            "refmove",
            "undoes",
            models.ForeignKey(
                help_text="The move that this rollback took back.",
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="registry.refmove",
            ),
        ),
        migrations.RunPython(seal_undoes_too, seal_as_before),
    ]
