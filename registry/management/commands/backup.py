"""`manage.py backup`: a snapshot of everything, while the server runs. Fit for cron."""

from pathlib import Path

from django.core.management import BaseCommand, CommandError

from registry.backups import Unfit
from registry.errors import Refusal
from registry.services import backup


class Command(BaseCommand):
    help = (
        "Add a snapshot of database and files to a directory; files that are there already are not copied again. Exit"
        " status 1: nothing was added; 2: files are damaged or missing. Example: manage.py backup /backup/lmvp --keep 14"
    )

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path)
        parser.add_argument("--keep", type=int, help="delete older snapshots than the newest so many, when it is done")
        parser.add_argument("--verify", action="store_true", help="read a backup again instead of adding to it")

    def handle(self, *args, directory, keep, verify, **options):
        if keep is not None and keep < 1:
            raise CommandError("--keep is 1 or more.")
        try:
            if verify:
                report = backup.verify_backup(root=directory, say=self.stderr.write)
                unwell = report.findings
            else:
                report = backup.take_backup(root=directory, keep=keep, say=self.stderr.write)
                unwell = report.lost
        except (Refusal, Unfit, OSError) as error:
            raise CommandError(str(getattr(error, "message", error))) from error
        self.stdout.write("\n".join(report.lines()))
        if unwell:
            raise SystemExit(2)
