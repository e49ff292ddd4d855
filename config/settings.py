"""Every setting, from the environment (or the file .env, which the environment beats).

DEBUG is off unless set, and then nothing has an insecure default: a missing or weak value stops the start
with a sentence that names the variable. docs/operating.md lists them for operators.
"""

import re
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ  # type: ignore[import-untyped]
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)


def required(name: str, *, debug_default: str, at_least: int = 1) -> str:
    """The variable `name`; outside DEBUG it must be set, `at_least` so long, and neither monotonous nor known."""
    value: str = env.str(name, default="") or (debug_default if DEBUG else "")
    is_weak = len(value) < at_least or len(set(value)) < min(at_least, 5) or value == debug_default
    if is_weak and not DEBUG:
        raise ImproperlyConfigured(
            f"Set the environment variable {name} ({at_least} characters or more, not {debug_default[:9]!r}), "
            "or DEBUG=true to try things out."
        )
    return value


# Secrets: SECRET_KEY signs sessions, CREDENTIALS_KEY keys the digests of API secrets. Changing the second makes
# every API secret invalid, so it is a variable of its own.
SECRET_KEY = required("SECRET_KEY", debug_default="insecure-" * 8, at_least=50)
CREDENTIALS_KEY = required("CREDENTIALS_KEY", debug_default="insecure-" * 8, at_least=32)

# Not "*" outside DEBUG: links in answers are built from the host name.
ALLOWED_HOSTS = [host.strip() for host in required("ALLOWED_HOSTS", debug_default="*").split(",")]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "config.apps.ConsoleConfig",  # django.contrib.admin with our own site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "targets",
    "rewards",
    "enrollments",
]

MIDDLEWARE = [
    "config.headers.HeadersMiddleware",
    "config.middleware.RequestIdMiddleware",
    "config.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False  # the published paths have no slash at their end

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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

# Database. A command may take longer than a request may.
IS_COMMAND = Path(sys.argv[0]).name in ("manage.py", "pytest", "__main__.py")
LOCK_TIMEOUT = env.str("LOCK_TIMEOUT", default="30s" if IS_COMMAND else "5s")
STATEMENT_TIMEOUT = env.str("STATEMENT_TIMEOUT", default="0" if IS_COMMAND else "20s")
# A web process that stops amid a transaction would keep the closing job from barring the group's cycles.
IDLE_TIMEOUT = "0" if IS_COMMAND else "60s"


def database() -> dict[str, Any]:
    """DATABASE_URL; without it, and only with DEBUG, the embedded PostgreSQL in .data/."""
    if env.str("DATABASE_URL", default=""):
        settings: dict[str, Any] = env.db_url("DATABASE_URL")
        if settings.get("ENGINE") != "django.db.backends.postgresql":
            raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL: postgres://user:password@host:5432/name")
    elif DEBUG:
        settings = {
            "ENGINE": "config.embedded_postgres",
            "NAME": "milestreak",
            "DIRECTORY": BASE_DIR / env.str("EMBEDDED_POSTGRES_DIR", default=".data"),
        }
    else:
        raise ImproperlyConfigured(
            "Set the environment variable DATABASE_URL=postgres://user:password@host:5432/name, "
            "a PostgreSQL 15 or later."
        )
    options = settings.setdefault("OPTIONS", {})
    timeouts = {
        "lock_timeout": LOCK_TIMEOUT,
        "statement_timeout": STATEMENT_TIMEOUT,
        "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
    }
    given = " ".join(f"-c {name}={value}" for name, value in timeouts.items())
    options["options"] = f"{given} {options.get('options', '')}".strip()
    options.setdefault("connect_timeout", 10)
    settings["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    settings["CONN_HEALTH_CHECKS"] = True
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True  # PgBouncer in transaction mode
    return settings


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People (the admin). API users have generated secrets instead: targets/credentials.py.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# Addresses of proxies of ours, or networks of them. X-Forwarded-For is believed only from there.
TRUSTED_PROXIES: list[str] = [text.strip() for text in env.list("TRUSTED_PROXIES", default=[])]
for _text in TRUSTED_PROXIES:
    try:
        ip_network(_text)
    except ValueError as error:
        raise ImproperlyConfigured(f"TRUSTED_PROXIES: {error}. Write 10.0.0.0/8, or a single address.") from None

# Behind a proxy that ends TLS and sets X-Forwarded-Proto itself: TLS_PROXY=true.
if env.bool("TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reporting.DiscreetReporterFilter"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# Sessions of staff. A browser takes "__Host-" only over TLS, from this very host, for all of its paths.
COOKIE_PREFIX = "" if DEBUG else "__Host-"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 3600 * env.int("SESSION_HOURS", default=12)  # from signing in, however busy somebody is
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"

# What pages may load and run: files of ours. Answers of the API have a policy of their own: config/headers.py.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # icons of the docs page
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# The admin. Its path is no secret, but keeps those away who try /admin/ everywhere.
ADMIN_PATH = env.str("ADMIN_PATH", default="admin").strip("/")
TAKEN_PATHS = {"docs", "healthz", "oauth", "readyz", "static", "users", "v3"}
if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", ADMIN_PATH) or ADMIN_PATH in TAKEN_PATHS:
    raise ImproperlyConfigured(
        "ADMIN_PATH is one word of small letters, digits and hyphens, such as console, and none of "
        f"{', '.join(sorted(TAKEN_PATHS))}."
    )
LOGIN_URL = "admin:login"

# The API: conventions of the envelope live in config/, the calls in the apps.
MAX_BODY_BYTES = 1024 * 1024
MAX_BULK_BODY_BYTES = 16 * MAX_BODY_BYTES
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BULK_BODY_BYTES  # our own limit comes first
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # pages of the admin send each value of each cycle of a programme
DATA_UPLOAD_MAX_NUMBER_FILES = 0  # nothing takes a file
MAX_CYCLES = env.int("MAX_CYCLES", default=100)
if not 1 <= MAX_CYCLES <= 1000:  # what the tables can hold: targets.models.programme
    raise ImproperlyConfigured(f"MAX_CYCLES is from 1 to 1000, not {MAX_CYCLES}.")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.authentication.BrandBasicAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["config.permissions.OperationPermission"],
    "DEFAULT_RENDERER_CLASSES": ["config.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.envelope.AlwaysJSON",
    "EXCEPTION_HANDLER": "config.envelope.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "config.schema.EnvelopeSchema",
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Milestreak",
    "DESCRIPTION": "Loyalty milestones and streaks: enrol, record activity, unenrol, and see what it meant.",
    "VERSION": "3",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Allocation": "targets.enums.Allocation",
        "RewardKind": "rewards.enums.RewardKind",
        "ReceiptKind": "enrollments.enums.ReceiptKind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/v3",
    "PREPROCESSING_HOOKS": ["config.schema.keep_canonical_paths"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "config.request_id.RequestIdFilter"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "loggers": {
        "django": {"handlers": []},  # the root's handler is enough
        "django.request": {"level": "ERROR"},  # a refusal is the caller's business
    },
}
