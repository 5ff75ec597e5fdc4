"""`manage.py export_project`: one project with its history and bytes, in one file."""

from pathlib import Path

from django.core.management import BaseCommand, CommandError

from registry.backups import Unfit
from registry.errors import Refusal
from registry.services import exports


class Command(BaseCommand):
    help = "Write a project with all its versions and files into a tar. Example: manage.py export_project vision vision.tar"

    def add_arguments(self, parser):
        parser.add_argument("project")
        parser.add_argument("file", type=Path)

    def handle(self, *args, project, file, **options):
        try:
            report = exports.export_project(name=project, path=file, say=self.stderr.write)
        except (Refusal, Unfit, OSError) as error:
            raise CommandError(str(getattr(error, "message", error))) from error
        self.stdout.write("\n".join(report.lines()))
