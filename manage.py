#!/usr/bin/env python3
"""Django's command line for the server."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lmvp.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed here. Run `make serve`, or `make install` and then .venv/bin/python manage.py …"
        )
    if sys.argv[1:2] == ["serve"]:
        from lmvp.watching.sharing import share_figures

        share_figures()  # first of all: prometheus_client asks for the directory when it is imported
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
