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

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION registry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sealed: a row of % never changes', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def seal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    if not sqlite:
        schema_editor.execute(POSTGRESQL_FUNCTION, params=None)
    for table, columns in SEALED.items():
        differs = "IS NOT" if sqlite else "IS DISTINCT FROM"
        changed = " OR ".join(f'OLD."{column}" {differs} NEW."{column}"' for column in columns)
        action = (
            f"BEGIN SELECT RAISE(ABORT, 'sealed: a row of {table} never changes'); END"
            if sqlite
            else "EXECUTE FUNCTION registry_refuse_change()"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {table}_sealed BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) {action}"
        )


def unseal(apps, schema_editor):
    sqlite = schema_editor.connection.vendor == "sqlite"
    for table in SEALED:
        schema_editor.execute(f"DROP TRIGGER {table}_sealed" + ("" if sqlite else f" ON {table}"))
    if not sqlite:
        schema_editor.execute("DROP FUNCTION registry_refuse_change()")


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunPython(seal, unseal)]
