"""`manage.py restore`: a backup put into an empty database and the store."""

from pathlib import Path

from django.core.management import BaseCommand, CommandError

from registry.backups import Unfit
from registry.errors import Refusal
from registry.services import recovery


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database of any kind, and the store. Cut off in the middle, run it again. Exit"
        " status 1: no row was restored; 2: files or active aliases are missing. Example: manage.py restore /backup/lmvp"
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path)
        parser.add_argument("--snapshot", default="", help="the name of a snapshot; the newest when left out")

    def handle(self, *args, directory, snapshot, **options):
        try:
            report = recovery.restore_backup(root=directory, name=snapshot, say=self.stderr.write)
        except (Refusal, Unfit, OSError) as error:
            said = getattr(error, "message", error)
            raise CommandError(f"{said}\nNot restored. When that is mended, run the same command again.") from error
        self.stdout.write("\n".join(report.lines()))
        if report.lost or report.not_active:
            raise SystemExit(2)
