"""`manage.py collect_garbage`: rules, trash, and the bytes that nothing needs any more. Fit for cron."""

from datetime import timedelta

from django.core.management import BaseCommand, CommandError

from registry.errors import Refusal
from registry.services import garbage


class Command(BaseCommand):
    help = (
        "Apply the retention rules, purge what was in the trash long enough, and delete the bytes that nothing has used"
        " for a while. Example: manage.py collect_garbage --dry-run"
    )

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and change nothing")
        parser.add_argument(
            "--grace-hours", type=float, help="how long nothing may have used bytes (LMVP_GARBAGE_GRACE_HOURS)"
        )
        parser.add_argument(
            "--trust-database", action="store_true", help="delete files without a record even when they are most of all"
        )

    def handle(self, *args, dry_run, grace_hours, trust_database, **options):
        if grace_hours is not None and not 0 <= grace_hours <= 24 * 366:
            raise CommandError("--grace-hours is 0 to 8784.")
        grace = None if grace_hours is None else timedelta(hours=grace_hours)
        try:
            report = garbage.collect(grace=grace, rehearsal=dry_run, trust_database=trust_database)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write("\n".join(report.lines()))
