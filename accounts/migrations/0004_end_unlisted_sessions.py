"""Web sessions from before they were listed could not be seen or ended: whoever has one signs in once more."""

from django.db import migrations


def end_sessions(apps, schema_editor):
    apps.get_model("sessions", "Session").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_browser_sessions"), ("sessions", "0001_initial")]

    operations = [migrations.RunPython(end_sessions, migrations.RunPython.noop)]
