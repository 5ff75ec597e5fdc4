"""The index that ranks a metric's values holds all that is asked of them: SQLite need not look into the rows."""

from django.db import migrations, models

from lmvp.postgresql.operations import AddIndexWithoutLock, RemoveIndexWithoutLock


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("registry", "0022_found_by_index")]

    operations = [
        AddIndexWithoutLock(
            model_name="metric",
            index=models.Index(
                fields=["model", "name", "value", "version", "latest"],
                condition=models.Q(latest=True),
                name="metrics_ranked",
            ),
        ),
        RemoveIndexWithoutLock(model_name="metric", name="ranks_by_metric"),
    ]
