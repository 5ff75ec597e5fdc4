"""The people of the demo: makes them once, verified and with one password, and prints that as JSON. demo.py runs it.

The only part of the demo that goes past the API: there, an address is verified by a mail that somebody has to read.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lmvp.settings")
django.setup()

from django.conf import settings  # noqa: E402 -- Django has to be set up first
from django.db import DatabaseError, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402

TEAM = ("ada", "ben", "cleo")
SUPERUSER = "operator"


def main() -> None:
    password = kept_password()
    try:
        with transaction.atomic():
            for name in (*TEAM, SUPERUSER):
                make(name, password)
    except DatabaseError as error:  # the server has migrated its own, so this is another one
        sys.exit(
            f"The database of {settings.LMVP_DATA_DIR} cannot be used ({error}): the server on port {settings.PORT} "
            f"keeps its data elsewhere.\nTake another port: PORT={settings.PORT + 1} make demo"
        )
    print(json.dumps({"password": password, "superuser": SUPERUSER}))


def kept_password() -> str:
    """Return the demo's password: made at the first run, kept beside the data, the same at every later run.

    Not a constant: the data may be served to others one day, and the superuser is in it.
    """
    path = settings.LMVP_DATA_DIR / "demo_password"
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text("-".join(secrets.token_hex(2) for _ in range(3)) + "\n")
    return path.read_text().strip()


def make(name: str, password: str) -> None:
    email = f"{name}@example.org"
    user = User.objects.filter(username=name).first()
    if user is None:
        if name == SUPERUSER:
            User.objects.create_superuser(email, name, password)
        else:
            User.objects.create_user(email, name, password, email_verified_at=timezone.now())
    elif user.email != email or not user.check_password(password):
        sys.exit(
            f"There is a user “{name}” in {settings.LMVP_DATA_DIR} who is not the demo's, "
            "or whose password was changed.\n"
            "Give the demo a data directory of its own: LMVP_DATA_DIR=var/demo make demo"
        )


if __name__ == "__main__":
    main()
