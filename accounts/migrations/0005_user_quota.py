import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_end_unlisted_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="quota",
            field=models.BigIntegerField(
                blank=True,
                help_text="How many bytes the files that this user brought may have; empty: what LMVP_USER_QUOTA says.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
            ),
        ),
    ]
