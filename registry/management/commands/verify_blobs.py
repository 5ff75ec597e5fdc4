"""`manage.py verify_blobs`: reads and hashes what is stored, and sets aside what is damaged. Fit for cron."""

from datetime import timedelta

from django.core.management import BaseCommand, CommandError

from registry.errors import Refusal
from registry.models import Project
from registry.services import verification


class Command(BaseCommand):
    help = (
        "Read every stored file and compare it with its digest, the one longest not verified first; set damaged ones"
        " aside. Exit status 1 when one is not well. Example: manage.py verify_blobs --hours 6"
    )

    def add_arguments(self, parser):
        parser.add_argument("--project", help="only what this project uses")
        parser.add_argument("--limit", type=int, help="at most so many files")
        parser.add_argument("--hours", type=float, help="stop after so long; the next run goes on from there")

    def handle(self, *args, project, limit, hours, **options):
        if (limit is not None and limit < 1) or (hours is not None and not 0 < hours <= 24 * 366):
            raise CommandError("--limit is 1 or more, --hours more than 0.")
        try:
            place = Project.objects.named(project) if project else None
            time = None if hours is None else timedelta(hours=hours)
            report = verification.verify(project=place, most=limit, limit=time)
        except Project.DoesNotExist as error:
            raise CommandError(f"There is no project “{project}”.") from error
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write("\n".join(report.lines()))
        if report.findings:
            raise SystemExit(1)
