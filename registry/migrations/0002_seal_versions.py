"""What is published never changes, whoever asks: triggers guard the sealed columns in both databases."""

from django.db import migrations

# Table → columns that never change after the insert.
SEALED = {
    "registry_version": [
        "id",
        "model_id",
        "number",
        "digest",
        "tree_id",
        "author_id",
        "author_name",
        "branch",
        "message",
        "metadata_json",
        "created_at",
    ],
    "registry_versionparent": ["id", "version_id", "parent_id", "position"],
    "registry_tree": ["digest", "content", "files", "size"],
    "registry_blob": ["sha256", "size"],
    "registry_metric": ["id", "version_id", "model_id", "name", "step", "value", "text", "author_id", "created_at"],
    "registry_refmove": [
        "id",
        "model_id",
        "kind",
        "name",
        "from_version_id",
        "to_version_id",
        "actor_id",
        "comment",
        "at",
    ],
}

# Table → the version that a row belongs to. Rows go only when that version has been purged.
KEPT = {
    "registry_version": "OLD.id",
    "registry_versionparent": "OLD.version_id",
    "registry_metric": "OLD.version_id",
    "registry_refmove": "COALESCE(OLD.to_version_id, OLD.from_version_id)",
}
UNPURGED = "EXISTS (SELECT 1 FROM registry_version v WHERE v.id = {version} AND v.purged_at IS NULL)"
# A version gets its parents before anything points to it, and none later.
POINTED_TO = "EXISTS (SELECT 1 FROM registry_refmove m WHERE m.to_version_id = NEW.version_id)"


def triggers():
    """Yield (name, table, when it fires, the condition under which it refuses, words)."""
    for table, columns in SEALED.items():
        changed = " OR ".join(f'OLD."{column}" <> NEW."{column}"' for column in columns)
        yield f"{table}_sealed", table, "UPDATE", changed, "never changes"
    for table, version in KEPT.items():
        yield f"{table}_kept", table, "DELETE", UNPURGED.format(version=version), "is never deleted"
    yield "registry_versionparent_closed", "registry_versionparent", "INSERT", POINTED_TO, "is not added later"


def seal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for name, table, event, refused, words in triggers():
        refused = refused.replace("<>", "IS NOT" if sqlite else "IS DISTINCT FROM")
        said = f"sealed: a row of {table} {words}"
        if sqlite:
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({refused})"
                f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
            continue
        row = "OLD" if event == "DELETE" else "NEW"
        schema_editor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {refused} THEN"
            f" RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $$"
        )
        schema_editor.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def unseal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for name, table, *_ in triggers():
        schema_editor.execute(f"DROP TRIGGER {name}" + ("" if sqlite else f" ON {table}"))
        if not sqlite:
            schema_editor.execute(f"DROP FUNCTION {name}()")


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunPython(seal, unseal)]
