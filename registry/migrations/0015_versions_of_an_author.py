"""The versions of one author without reading those of the others."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0014_artifact_indexes"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddIndex(
            model_name="version",
            index=models.Index(fields=["model", "author", "number"], name="versions_of_an_author"),
        ),
    ]
