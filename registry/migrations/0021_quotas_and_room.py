import django.core.validators
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0020_direct_uploads"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="quota",
            field=models.BigIntegerField(
                blank=True,
                help_text="How many bytes it may hold; empty: what LMVP_PROJECT_QUOTA says.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="alive_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                default=django.utils.timezone.now,
                editable=False,
                help_text="When it was announced, or bytes of it last came: its room on the disk is kept for a while from"
                " then.",
            ),
        ),
    ]
