"""`manage.py serve`: the server, migrated first."""

from django.core.management import BaseCommand

from lmvp.server import serve


class Command(BaseCommand):
    help = "Migrate the database if needed, then serve on HOST:PORT until stopped."
    requires_system_checks = []  # `make lint` runs them; a start takes no second for it

    def handle(self, *args, **options):
        serve()
