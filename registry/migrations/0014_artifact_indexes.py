"""Serve the pages of a project's artifacts, and of one artifact's children, in the order of their ids."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0013_artifact_data_as_text"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="artifact",
            index=models.Index(fields=["project", "id"], name="artifacts_of_a_project"),
        ),
        migrations.AddIndex(
            model_name="artifact",
            index=models.Index(fields=["parent", "id"], name="artifacts_of_a_parent"),
        ),
    ]
