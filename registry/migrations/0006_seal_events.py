"""What was logged stays as it was: the audit log takes lines in, and lets none be changed or deleted, whoever asks."""

from django.db import migrations

REFUSED = {"UPDATE": "never changes", "DELETE": "is never deleted"}


def seal(apps, schema_editor):
    for event, words in REFUSED.items():
        name, said = f"registry_event_no_{event.lower()}", f"sealed: a row of registry_event {words}"
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON registry_event FOR EACH ROW"
                f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
            continue
        schema_editor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON registry_event FOR EACH ROW EXECUTE FUNCTION {name}()"
        )


def unseal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for event in REFUSED:
        name = f"registry_event_no_{event.lower()}"
        schema_editor.execute(f"DROP TRIGGER {name}" + ("" if sqlite else " ON registry_event"))
        if not sqlite:
            schema_editor.execute(f"DROP FUNCTION {name}()")


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_lines_told_once")]

    operations = [migrations.RunPython(seal, unseal)]
