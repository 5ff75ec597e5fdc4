"""The WSGI application, for any WSGI server; `manage.py serve` runs it under gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lmvp.settings")
application = get_wsgi_application()
