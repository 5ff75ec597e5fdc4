"""`manage.py materialise_aliases`: the files of active aliases, brought in line."""

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from registry.services import activation


class Command(BaseCommand):
    help = (
        "Bring the files below LMVP_ACTIVE_ROOT in line with the active aliases; fit for cron on each serving machine."
    )

    def handle(self, *args, **options):
        if failed := activation.put_right():
            names = ", ".join(f"{key.alias} (model {key.model_id})" for key in failed)
            raise CommandError(f"Not up to date: {names}. The log says why; run this again when it is mended.")
        self.stdout.write(f"The active aliases stand as files below {settings.LMVP_ACTIVE_ROOT}.")
