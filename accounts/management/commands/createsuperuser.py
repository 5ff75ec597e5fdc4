"""Django's createsuperuser, which refuses a weak password with --noinput too.

Found only while `accounts` stands before `django.contrib.auth` in INSTALLED_APPS.
"""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management import CommandError

from accounts.errors import Invalid
from accounts.models import User
from accounts.services.passwords import check_strength

FACTS = ("email", "username")


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        if not options["interactive"] and password is not None:
            facts = {name: options[name] or os.environ.get(f"DJANGO_SUPERUSER_{name.upper()}", "") for name in FACTS}
            try:
                check_strength(password, user=User(**facts))
            except Invalid as refusal:
                raise CommandError(refusal.message) from None
        super().handle(*args, **options)
