"""What was found by reading much: uploads that are to come, the next blobs to verify, events by the beginning of a subject,
a few branches and the newest names among many tags."""

from django.db import migrations, models

from lmvp.postgresql.operations import AddIndexWithoutLock, RemoveIndexWithoutLock


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("registry", "0021_quotas_and_room")]

    operations = [
        AddIndexWithoutLock(
            model_name="upload",
            index=models.Index(fields=["alive_at"], condition=models.Q(stored_at=None), name="uploads_to_come"),
        ),
        AddIndexWithoutLock(
            model_name="blob",
            index=models.Index(fields=["verified_at", "sha256"], name="blobs_least_verified"),
        ),
        AddIndexWithoutLock(
            model_name="event",
            index=models.Index(
                fields=["project", "subject"], opclasses=["int8_ops", "varchar_pattern_ops"], name="events_by_subject"
            ),
        ),
        AddIndexWithoutLock(
            model_name="ref",
            index=models.Index(fields=["model", "kind", "name"], name="refs_of_a_kind"),
        ),
        AddIndexWithoutLock(
            model_name="ref",
            index=models.Index(fields=["model", "-updated_at"], name="refs_moved_last"),
        ),
        RemoveIndexWithoutLock(model_name="blob", name="blobs_longest_unverified"),
        RemoveIndexWithoutLock(model_name="event", name="events_of_a_subject"),
    ]
