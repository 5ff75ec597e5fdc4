"""What a version was made from is part of it: written before anything points to the version, never changed."""

from django.db import migrations

COLUMNS = ["id", "version_id", "source_id", "position"]
CHANGED = " OR ".join(f'OLD."{column}" <> NEW."{column}"' for column in COLUMNS)
UNPURGED = "EXISTS (SELECT 1 FROM registry_version v WHERE v.id = OLD.version_id AND v.purged_at IS NULL)"
POINTED_TO = "EXISTS (SELECT 1 FROM registry_refmove m WHERE m.to_version_id = NEW.version_id)"

# Name, when it fires, the condition under which it refuses, words.
TRIGGERS = [
    ("registry_derivation_sealed", "UPDATE", CHANGED, "never changes"),
    ("registry_derivation_kept", "DELETE", UNPURGED, "is never deleted"),
    ("registry_derivation_closed", "INSERT", POINTED_TO, "is not added later"),
]


def seal(apps, schema_editor):
    for name, event, refused, words in TRIGGERS:
        said = f"sealed: a row of registry_derivation {words}"
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON registry_derivation FOR EACH ROW"
                f" WHEN ({refused.replace('<>', 'IS NOT')}) BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
            continue
        row = "OLD" if event == "DELETE" else "NEW"
        schema_editor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {refused.replace('<>', 'IS DISTINCT FROM')} THEN"
            f" RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $$"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON registry_derivation FOR EACH ROW EXECUTE FUNCTION {name}()"
        )


def unseal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for name, *_ in TRIGGERS:
        schema_editor.execute(f"DROP TRIGGER {name}" + ("" if sqlite else " ON registry_derivation"))
        if not sqlite:
            schema_editor.execute(f"DROP FUNCTION {name}()")


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_seal_events")]

    operations = [migrations.RunPython(seal, unseal)]
