"""`manage.py migrate`: Django's own, while no other process migrates."""

from typing import Any

from django.core.management.commands import migrate

from lmvp import migrating


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:  # these change nothing
            super().handle(*args, **options)
            return
        with migrating.alone():
            super().handle(*args, **options)
