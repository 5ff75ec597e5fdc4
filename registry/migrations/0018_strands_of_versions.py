"""Name the strand that each version continues (registry.models.strands), without holding a table while it is worked out."""

from django.db import migrations, models, transaction
from django.db.models import Q

from lmvp.postgresql.operations import AddFieldOnce, AddIndexWithoutLock

CHUNK = 1000


def name_strands(apps, schema_editor):
    """One model at a time, under its lock: nobody publishes to it meanwhile."""
    links = apps.get_model("registry", "VersionParent").objects.filter(position=0)
    registered = apps.get_model("registry", "RegisteredModel").objects
    for model in registered.values_list("pk", flat=True):
        with transaction.atomic(using=schema_editor.connection.alias):
            registered.select_for_update().get(pk=model)
            for strand, versions in strands_of(links.filter(version__model=model)).items():
                for start in range(0, len(versions), CHUNK):
                    links.filter(version__in=versions[start : start + CHUNK]).update(strand=strand)


def strands_of(links):
    """Return by its first version the others of each strand: the first child of each on the same branch continues it."""
    strand_of, continued, found = {}, set(links.exclude(strand=None).values_list("parent", flat=True)), {}
    columns = ("version", "parent", "version__branch", "parent__branch")
    for version, parent, branch, before in links.filter(strand=None).order_by("version").values_list(*columns):
        if branch == before and parent not in continued:
            continued.add(parent)
            strand_of[version] = strand_of.get(parent, parent)
            found.setdefault(strand_of[version], []).append(version)
    return found


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("registry", "0017_events_of_a_subject")]

    operations = [
        AddFieldOnce(
            model_name="versionparent",
            name="strand",
            field=models.BigIntegerField(
                editable=False,
                help_text="The first version of the strand that this one continues (see strands.py).",
                null=True,
            ),
        ),
        AddIndexWithoutLock(
            model_name="versionparent",
            index=models.Index(condition=Q(("strand__isnull", False)), fields=["strand", "version"], name="strands"),
        ),
        migrations.RunPython(name_strands, migrations.RunPython.noop),
    ]
