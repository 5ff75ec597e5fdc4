"""`manage.py forget_sign_ins`: sign-ins and sessions that have ended. Fit for cron."""

from typing import Any

from django.core.management import BaseCommand, CommandParser

from accounts.services.forgetting import forget_ended


class Command(BaseCommand):
    help = (
        "Delete sign-ins that ended a week ago, and expired sessions of browsers. Example: manage.py forget_sign_ins"
        " --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        found = forget_ended(rehearsal=dry_run)
        would = "would be " if dry_run else ""
        self.stdout.write(f"{found.sign_ins:,} sign-ins and {found.sessions:,} sessions {would}forgotten")
