"""Every setting of the server: from the environment, then from a `.env` beside manage.py, then a safe default.

`.env.example` and docs/settings.md list them all; a test keeps the three in step.
"""

import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from lmvp.numerals import size_of

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
env = environ.Env()
env.ENVIRON = {name: value for name, value in os.environ.items() if value}  # set to nothing is not set

PORT = env.int("PORT", default=8000)
HOST = env.str("HOST", default="127.0.0.1")
LMVP_URL = env.str("LMVP_URL", default=f"http://localhost:{PORT}").rstrip("/")
LMVP_DATA_DIR = Path(env.str("LMVP_DATA_DIR", default=str(BASE_DIR / "var"))).absolute()
S3_BUCKET = env.str("S3_BUCKET", default="")
DEBUG = env.bool("DEBUG", default=False)


def _kept_secret_key() -> str:
    """Return the key kept in the data directory; make it (mode 0600) at the first start."""
    path = LMVP_DATA_DIR / "secret_key"
    LMVP_DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds everybody's secrets
    draft = path.with_name(f"secret_key.{os.getpid()}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # two processes starting at once: the first one's key is everybody's
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


SECRET_KEY = os.environ.get("SECRET_KEY", "")  # as it is: env.str would follow a leading "$"
if not SECRET_KEY:
    if S3_BUCKET:
        raise ImproperlyConfigured("Set SECRET_KEY: replicas that share the store S3_BUCKET must share one key too.")
    try:
        SECRET_KEY = _kept_secret_key()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data directory {LMVP_DATA_DIR} cannot be written ({error.strerror}). Give it to user {os.getuid()},"
            " or name another one with LMVP_DATA_DIR."
        ) from error

# --- Hosts and transport

_url = urlsplit(LMVP_URL)
if _url.scheme not in ("http", "https") or not _url.hostname:
    raise ImproperlyConfigured(f"LMVP_URL must look like https://models.example.org, not {LMVP_URL!r}.")
HTTPS = _url.scheme == "https"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", _url.hostname]
CSRF_TRUSTED_ORIGINS = [f"{_url.scheme}://{_url.netloc}"]
# How many proxies in front append to X-Forwarded-For (and set X-Forwarded-Proto); 0: none is believed.
LMVP_PROXIES = env.int("LMVP_PROXIES", default=0)
if LMVP_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS and LMVP_PROXIES > 0
# Where no proxy is believed, nobody can say here what came by https: then the proxy redirects, as this check would have it.
SILENCED_SYSTEM_CHECKS = ["security.W008"] if HTTPS and not LMVP_PROXIES else []
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
APPEND_SLASH = False  # lmvp.middleware.one_spelling answers both, without a redirect

# --- Applications

INSTALLED_APPS = [
    "accounts",  # ours first: Django takes the first command or template of a name
    "registry",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_tasks",
    "drf_yasg",
    "csp",
]
MIDDLEWARE = [
    "lmvp.middleware.request_log",
    "lmvp.watching.requests.watch",
    "lmvp.watching.page.scraped",
    "csp.middleware.CSPMiddleware",  # around all others: redirects and static files bear it too
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "lmvp.middleware.one_spelling",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.SignedInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# Scripts and styles are files of ours alone. Images may stand in a style sheet as data (Pico's arrows and ticks).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
ROOT_URLCONF = "lmvp.urls"
WSGI_APPLICATION = "lmvp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database: SQLite in the data directory, or what DATABASE_URL names

_embedded = {"ENGINE": "django.db.backends.sqlite3", "NAME": LMVP_DATA_DIR / "lmvp.sqlite3"}
DATABASES = {"default": env.db_url("DATABASE_URL") if env.str("DATABASE_URL", default="") else _embedded}
_database = DATABASES["default"]
if _database["ENGINE"].endswith("sqlite3"):
    _database["ENGINE"] = "lmvp.sqlite3"  # Django's, with connections that are kept
    _database["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;"
        " PRAGMA recursive_triggers=ON;",
    }
else:
    _database["ENGINE"] = "lmvp.postgresql"  # Django's, with a bound on connections
if not _database.get("PASSWORD"):
    _database["PASSWORD"] = os.environ.get("DB_PASSWORD", "")  # as it is: env.str would follow a leading "$"
_database["CONN_MAX_AGE"] = 0
# A PgBouncer in transaction mode before the same database, for requests alone: commands, migrations and locks go past it.
PGBOUNCER = env.db_url("LMVP_PGBOUNCER_URL") if env.str("LMVP_PGBOUNCER_URL", default="") else {}
if PGBOUNCER and not PGBOUNCER.get("PASSWORD"):
    PGBOUNCER["PASSWORD"] = _database["PASSWORD"]
# Seconds that a statement of a request may take on PostgreSQL; commands take their time. 0: for ever.
STATEMENT_TIMEOUT = env.int("LMVP_STATEMENT_TIMEOUT", default=60)
if STATEMENT_TIMEOUT < 0:
    raise ImproperlyConfigured("LMVP_STATEMENT_TIMEOUT must be 0 or more seconds.")
# Tests on SQLite use a file too: in memory, threads would meet locks that a real database does not have.
_test_file = LMVP_DATA_DIR / "test.sqlite3" if _database["ENGINE"].endswith("sqlite3") else None
_database["TEST"] = {"NAME": env.str("TEST_DATABASE", default="") or _test_file}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Counters that every worker shares (throttles): a table, or Redis.
_cache_url = env.str("CACHE_URL", default="")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _cache_url}
    if _cache_url
    else {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "lmvp_cache",
        "OPTIONS": {"MAX_ENTRIES": 200_000},
    }
}

# --- Files: blobs by digest on disk, or in an S3 bucket

STORAGES = {
    "blobs": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": env.str("AWS_S3_ENDPOINT_URL", default=None),
            "region_name": env.str("AWS_REGION", default=None),
            "file_overwrite": True,
        },
    }
    if S3_BUCKET
    else {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": LMVP_DATA_DIR / "blobs"}},
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # nothing is kept outside "blobs"
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Where clients reach the same store by themselves: large files are then brought and fetched there, by signed addresses.
S3_PUBLIC_ENDPOINT_URL = env.str("S3_PUBLIC_ENDPOINT_URL", default="").rstrip("/")
if S3_PUBLIC_ENDPOINT_URL and not (S3_BUCKET and urlsplit(S3_PUBLIC_ENDPOINT_URL).scheme in ("http", "https")):
    raise ImproperlyConfigured("S3_PUBLIC_ENDPOINT_URL goes with S3_BUCKET, and looks like https://s3.example.org.")
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # no collecting step at install
WHITENOISE_AUTOREFRESH = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/vendor/[a-z-]+-[0-9.]+/"  # their version is in the address

# Where bytes on their way wait: the same file system as the blobs, so that the last step is a rename.
INCOMING_DIR = LMVP_DATA_DIR / "incoming"
# Where the proxy in front finds the blobs' directory (an internal location of nginx), so that it sends files itself.
ACCEL_REDIRECT = env.str("LMVP_ACCEL_REDIRECT", default="")
if ACCEL_REDIRECT and not (ACCEL_REDIRECT.startswith("/") and ACCEL_REDIRECT.endswith("/")):
    raise ImproperlyConfigured(f"LMVP_ACCEL_REDIRECT must look like /.blobs/, not {ACCEL_REDIRECT!r}.")
# Where aliases marked active stand as files, for processes that serve them.
LMVP_ACTIVE_ROOT = Path(env.str("LMVP_ACTIVE_ROOT", default=str(LMVP_DATA_DIR / "active"))).absolute()
# Names are blobs' digests alone; a file larger than this is refused while it streams.
LMVP_MAX_FILE_SIZE = env.int("LMVP_MAX_FILE_SIZE", default=100 * 2**30)
# A pack of small files in one request: how many, the bytes of each, and the bytes of the tar.
LMVP_PACK_FILES = env.int("LMVP_PACK_FILES", default=10_000)
LMVP_PACK_FILE_SIZE = env.int("LMVP_PACK_FILE_SIZE", default=8 * 2**20)
LMVP_PACK_SIZE = env.int("LMVP_PACK_SIZE", default=2**30)
# What a project, and what a user, may hold; None: whatever fits. The admin overrides both for one of them.
_quotas = {
    "LMVP_PROJECT_QUOTA": env.str("LMVP_PROJECT_QUOTA", default=""),
    "LMVP_USER_QUOTA": env.str("LMVP_USER_QUOTA", default=""),
}
for _name, _said in _quotas.items():
    if _said and size_of(_said) is None:
        raise ImproperlyConfigured(f"{_name} must look like 50GB, 500MiB or 53687091200 (bytes), not {_said!r}.")
LMVP_PROJECT_QUOTA, LMVP_USER_QUOTA = map(size_of, _quotas.values())
# An upload that nobody finished or published is forgotten after this long.
UPLOAD_LIFETIME = timedelta(hours=24)
# So long an announcement keeps its room on the disk, and an upload after its bytes last came.
UPLOAD_ROOM_KEPT = timedelta(hours=1)
# So long a sender that fell silent keeps others from going on with its upload.
UPLOAD_LEASE = timedelta(seconds=30)
# What was deleted can be taken back for so long; then a run of collect_garbage purges it.
_trash_days = env.int("LMVP_TRASH_DAYS", default=14)
TRASH_LIFETIME = timedelta(days=_trash_days)
if _trash_days < 0:
    raise ImproperlyConfigured("LMVP_TRASH_DAYS must be 0 or more.")
# For so long nothing may have used bytes before they are deleted. Hours, because publishing takes a while too.
_grace_hours = env.int("LMVP_GARBAGE_GRACE_HOURS", default=24)
GARBAGE_GRACE = timedelta(hours=_grace_hours)
if _grace_hours < 2:
    raise ImproperlyConfigured("LMVP_GARBAGE_GRACE_HOURS must be 2 or more: so long may it take to publish.")
# Django's own bound is for bodies held in memory; JSON bodies here list up to 100,000 files.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 2**20
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

# --- Accounts

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.authentication.VerifiedEmailBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
CSRF_FAILURE_VIEW = "registry.web.refusals.csrf_failure"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
ACCESS_TOKEN_LIFETIME = timedelta(minutes=env.int("LMVP_ACCESS_MINUTES", default=20))
REFRESH_TOKEN_LIFETIME = timedelta(days=env.int("LMVP_REFRESH_DAYS", default=30))
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "USER_ID_CLAIM": "sub",
}
EMAIL_VERIFICATION_LIFETIME = timedelta(hours=24)
PASSWORD_RESET_LIFETIME = timedelta(hours=2)
INVITATION_LIFETIME = timedelta(days=14)
UNVERIFIED_NAME_LIFETIME = timedelta(days=7)
# Attempts per window, counted in the cache: "login:account" counts failures only.
THROTTLES = {
    "login:account": env.str("LMVP_THROTTLE_LOGIN_ACCOUNT", default="10/900s"),
    "login:address": env.str("LMVP_THROTTLE_LOGIN_ADDRESS", default="100/900s"),
    "mail:account": env.str("LMVP_THROTTLE_MAIL_ACCOUNT", default="5/3600s"),
    "mail:host": env.str("LMVP_THROTTLE_INVITATIONS", default="100/3600s"),
    "mail:address": env.str("LMVP_THROTTLE_MAIL_ADDRESS", default="200/3600s"),
}

# --- Mail: printed to the console until EMAIL_URL says otherwise

globals().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("LMVP_MAIL_FROM", default=f"LMVP <noreply@{_url.hostname}>")
EMAIL_TIMEOUT = 20

# --- Work that outlives a request: at once, or by `manage.py db_worker` from a table

TASKS_BY_WORKER = env.str("LMVP_TASKS", default="immediate") == "database"
if env.str("LMVP_TASKS", default="immediate") not in ("immediate", "database"):
    raise ImproperlyConfigured("LMVP_TASKS is `immediate`, or `database` where `manage.py db_worker` runs as well.")
_at_once = {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}
_by_worker = {"BACKEND": "django_tasks_db.DatabaseBackend"}
TASKS = {
    "default": _by_worker if TASKS_BY_WORKER else _at_once,
    "aside": {"BACKEND": "lmvp.tasks.InThread"},
}
# Where mails go: an answer takes as long for an unknown address as for a known one.
TASKS_ASIDE = "default" if TASKS_BY_WORKER else "aside"
if TASKS_BY_WORKER:
    INSTALLED_APPS.append("django_tasks_db")

# --- API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsers.BoundedJSON", "rest_framework.parsers.FormParser"],
    "DEFAULT_PAGINATION_CLASS": "registry.api.pagination.NumberedPages",
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "EXCEPTION_HANDLER": "registry.api.errors.exception_handler",
    "NUM_PROXIES": LMVP_PROXIES,
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SWAGGER_USE_COMPAT_RENDERERS = False
SWAGGER_SETTINGS = {
    "DEFAULT_GENERATOR_CLASS": "registry.api.schema.Generator",
    "DEFAULT_AUTO_SCHEMA_CLASS": "registry.api.schema.Operation",
    "SECURITY_DEFINITIONS": {
        "Bearer": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "description": "Paste: `Bearer <access>` with the access token that `/auth/login/` answered.",
        }
    },
    "USE_SESSION_AUTH": False,
    "PERSIST_AUTH": True,
    "DOC_EXPANSION": "list",
}

# --- Logs: one line per request with its id; JSON for machines

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "lmvp.middleware.RequestIdFilter"}},
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s",
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# --- Watched: who may read /metrics, and what is called slow

METRICS_TOKEN = os.environ.get("LMVP_METRICS_TOKEN", "")  # as it is: env.str would follow a leading "$"
SLOW_REQUEST_MS = env.int("LMVP_SLOW_REQUEST_MS", default=1000)
SLOW_QUERY_MS = env.int("LMVP_SLOW_QUERY_MS", default=200)

# --- The server itself (`manage.py serve`)

WORKERS = env.int("LMVP_WORKERS", default=2)
DATABASE_CONNECTIONS = env.int("LMVP_DATABASE_CONNECTIONS", default=20)  # of PostgreSQL, per worker
THREADS = env.int("LMVP_THREADS", default=1024)  # as many as slow transfers are expected at once, per worker

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
SITE_NAME = "LMVP"
