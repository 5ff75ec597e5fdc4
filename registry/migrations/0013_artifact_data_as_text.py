"""Keep an artifact's data as they came: jsonb sorts keys and respells numbers."""

from django.db import migrations

import registry.models.lineage


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0012_retention_rule"),
    ]

    operations = [
        migrations.AlterField(
            model_name="artifact",
            name="data",
            field=registry.models.lineage.JSONAsCame(default=dict),
        ),
        migrations.AlterModelOptions(
            name="hierarchy",
            options={"ordering": ["name"], "verbose_name_plural": "hierarchies"},
        ),
    ]
