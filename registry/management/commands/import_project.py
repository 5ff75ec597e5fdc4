"""`manage.py import_project`: a project made from a file of export_project."""

from pathlib import Path

from django.core.management import BaseCommand, CommandError

from registry.backups import Unfit
from registry.errors import Refusal
from registry.services import imports


class Command(BaseCommand):
    help = (
        "Make a project from a file, all of it or nothing; every digest is computed again. Example:"
        " manage.py import_project vision.tar --as vision-2 --owner alice"
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", dest="name", default="", help="the project's name here")
        parser.add_argument("--owner", default="", help="the username of who owns it here, beside its own owners")

    def handle(self, *args, file, name, owner, **options):
        try:
            report = imports.import_project(path=file, name=name, owner=owner, say=self.stderr.write)
        except (Refusal, Unfit, OSError) as error:
            raise CommandError(str(getattr(error, "message", error))) from error
        self.stdout.write("\n".join(report.lines()))
