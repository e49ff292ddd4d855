"""Every setting, from the environment (or the file .env, which the environment beats).

DEBUG is off unless set, and then nothing has an insecure default: a missing or weak value stops the start
with a sentence that names the variable. docs/operating.md lists them for operators.
"""

import re
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ  # type: ignore[import-untyped]
from csp.constants import NONE, SELF
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from limits import RateLimitItem
from limits import parse as parse_limit

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)


def required(name: str, *, debug_default: str, at_least: int = 1) -> str:
    """The variable `name`; outside DEBUG it must be set, `at_least` so long, and neither monotonous nor known."""
    value: str = env.str(name, default="") or (debug_default if DEBUG else "")
    known = debug_default[:9]  # of keys what also begins those that Django makes up for trying
    is_weak = len(value) < at_least or len(set(value)) < min(at_least, 5) or known in value
    if is_weak and not DEBUG:
        raise ImproperlyConfigured(
            f"Set the environment variable {name} ({at_least} characters or more, without {known!r}), "
            "or DEBUG=true to try things out."
        )
    return value


# Secrets: SECRET_KEY signs sessions, CREDENTIALS_KEY keys the digests of API secrets. Changing the second makes
# every API secret invalid, so it is a variable of its own.
SECRET_KEY = required("SECRET_KEY", debug_default="insecure-" * 8, at_least=50)
CREDENTIALS_KEY = required("CREDENTIALS_KEY", debug_default="insecure-" * 8, at_least=32)
if SECRET_KEY == CREDENTIALS_KEY and not DEBUG:
    raise ImproperlyConfigured("SECRET_KEY and CREDENTIALS_KEY are the same: make one up for each.")

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
    "oauth2_provider",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "targets",
    "rewards",
    "enrollments",
]

MIDDLEWARE = [
    "config.headers.HeadersMiddleware",
    "config.middleware.RequestIdMiddleware",
    "config.health.ProbeMiddleware",
    "config.page_middleware.BeginOfPages",  # calls of the API go past what is between this ...
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last; looks at one attribute unless a log-in was refused
    "config.page_middleware.EndOfPages",  # ... and this
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


# Behind PgBouncer in transaction mode a session is nobody's own, and what it starts with is refused: the pool sets the
# time-outs then (docs/scaling.md).
DATABASE_POOLED = env.bool("DATABASE_POOLED", default=False)


def database_at(variable: str) -> dict[str, Any]:
    """The PostgreSQL that the environment variable names."""
    settings: dict[str, Any] = env.db_url(variable)
    if settings.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured(f"{variable} must name a PostgreSQL: postgres://user:password@host:5432/name")
    settings["ENGINE"] = "config.postgres"
    return settings


def database() -> dict[str, Any]:
    """DATABASE_URL; without it, and only with DEBUG, the embedded PostgreSQL in .data/."""
    if env.str("DATABASE_URL", default=""):
        return database_at("DATABASE_URL")
    if DEBUG:
        return {
            "ENGINE": "config.embedded_postgres",
            "NAME": "milestreak",
            "DIRECTORY": BASE_DIR / env.str("EMBEDDED_POSTGRES_DIR", default=".data"),
        }
    raise ImproperlyConfigured(
        "Set the environment variable DATABASE_URL=postgres://user:password@host:5432/name, a PostgreSQL 15 or later."
    )


def connected(settings: dict[str, Any], **defaults: int) -> dict[str, Any]:
    """With how connections begin, how long they are kept, and `defaults` for options of libpq."""
    options = settings.setdefault("OPTIONS", {})
    if not DATABASE_POOLED:
        timeouts = {
            "lock_timeout": LOCK_TIMEOUT,
            "statement_timeout": STATEMENT_TIMEOUT,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
        }
        given = " ".join(f"-c {name}={value}" for name, value in timeouts.items())
        options["options"] = f"{given} {options.get('options', '')}".strip()
    settings["OPTIONS"] = defaults | options
    settings["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    settings["CONN_HEALTH_CHECKS"] = True
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True  # PgBouncer in transaction mode
    return settings


DATABASES = {"default": connected(database(), connect_timeout=10)}

# A streaming replica for the reads that tolerate it: targets/replica.py. Given up soon, as the primary can serve too.
if env.str("REPLICA_URL", default=""):
    DATABASES["replica"] = connected(database_at("REPLICA_URL"), connect_timeout=2, tcp_user_timeout=5000)
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
    DATABASE_ROUTERS = ["targets.replica.Router"]
    MIDDLEWARE.append("config.recent_writes.RecentWritesMiddleware")
REPLICA_LAG_SECONDS = env.int("REPLICA_LAG_SECONDS", default=5)
if not 2 <= REPLICA_LAG_SECONDS <= 300:
    raise ImproperlyConfigured(f"REPLICA_LAG_SECONDS is from 2 to 300, not {REPLICA_LAG_SECONDS}.")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People (the admin). API users have generated secrets instead: targets/credentials.py.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Django's own for people; the last one is for the generated secrets of OAuth clients, where a slow hash would only
# let strangers use up the processors.
PASSWORD_HASHERS = [*global_settings.PASSWORD_HASHERS, "targets.credentials.KeyedDigestHasher"]

ACCESS_TOKEN_SECONDS = env.int("ACCESS_TOKEN_SECONDS", default=3600)
if not 60 <= ACCESS_TOKEN_SECONDS <= 86_400:
    raise ImproperlyConfigured(f"ACCESS_TOKEN_SECONDS is from 60 to 86400, not {ACCESS_TOKEN_SECONDS}.")

# How long a generated secret or token that was right is taken without looking it up again. 0: looked up with each call.
CALLER_SECONDS = env.int("CALLER_SECONDS", default=5)
if not 0 <= CALLER_SECONDS <= 60:  # api.md 2
    raise ImproperlyConfigured(f"CALLER_SECONDS is from 0 to 60, not {CALLER_SECONDS}.")

# Of OAuth 2.0 there is the client credentials grant and nothing else; config/tokens.py is the only door.
OAUTH2_PROVIDER = {
    "OAUTH2_SERVER_CLASS": "oauthlib.oauth2.BackendApplicationServer",
    "OAUTH2_VALIDATOR_CLASS": "config.tokens.ClientValidator",
    "SCOPES": {"read": "Calls that change nothing.", "write": "Calls that change something."},
    "CLIENT_SECRET_HASHER": "keyed_digest",
    "ACCESS_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_SECONDS,
    "REFRESH_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_SECONDS,  # there are none, but `cleartokens` warns where it is unset
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,  # a digest of each token is stored, never the token
    # What concerns grants that we do not offer; the deploy check asks for each.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
}

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


def limit(name: str, *, default: str) -> RateLimitItem:
    """So many in so long: `10/5 minutes`."""
    text: str = env.str(name, default="") or default
    try:
        found = parse_limit(text)
    except ValueError:
        found = None
    if found is None or found.amount < 1 or found.get_expiry() < 1:
        raise ImproperlyConfigured(f"{name} is a number in a time, such as {default!r}, not {text!r}.")
    return found


# Wrong credentials of the API that are taken from an address, with one user name and in all (config/guessing.py).
GUESSES_PER_USER = limit("GUESSES_PER_USER", default="10/5 minutes")
GUESSES_PER_ADDRESS = limit("GUESSES_PER_ADDRESS", default="50/5 minutes")

# The admin's log-in, where the database counts: config/login.py. The API does not come by these backends.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURES", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_PAUSE_MINUTES", default=15))
if AXES_FAILURE_LIMIT < 1 or timedelta(minutes=1) > AXES_COOLOFF_TIME:
    raise ImproperlyConfigured("LOGIN_FAILURES and LOGIN_PAUSE_MINUTES are 1 or more.")
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the page says when to try again, and that stays true
AXES_CLIENT_IP_CALLABLE = "config.login.address_of"
AXES_LOCKOUT_CALLABLE = "config.login.locked_out"
AXES_ENABLE_ADMIN = False  # manage.py axes_list_attempts shows them
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken"]

# The second factor of staff: config/second_factor.py. true: who has none sets one up before anything else opens.
REQUIRE_SECOND_FACTOR = env.bool("REQUIRE_SECOND_FACTOR", default=False)
OTP_TOTP_ISSUER = "Milestreak"  # how authenticator apps call it

# Behind a proxy that ends TLS and sets X-Forwarded-Proto itself: TLS_PROXY=true.
if env.bool("TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("HSTS_SECONDS", default=31_536_000)
if SECURE_HSTS_SECONDS < 0:
    raise ImproperlyConfigured(f"HSTS_SECONDS is 0 or more, not {SECURE_HSTS_SECONDS}.")
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
if SESSION_COOKIE_AGE < 3600:
    raise ImproperlyConfigured("SESSION_HOURS is 1 or more.")
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
DATA_UPLOAD_MAX_NUMBER_FILES = 1  # a list of customers; held in memory, and what is larger is not taken at all
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * MAX_BODY_BYTES  # of the whole request
MAX_CYCLES = env.int("MAX_CYCLES", default=100)
if not 1 <= MAX_CYCLES <= 1000:  # what the tables can hold: targets.models.programme
    raise ImproperlyConfigured(f"MAX_CYCLES is from 1 to 1000, not {MAX_CYCLES}.")

# Units a client may use in a minute, unless its API user says otherwise: targets/quota.py. 0: without limit.
REQUESTS_PER_MINUTE = env.int("REQUESTS_PER_MINUTE", default=0 if DEBUG else 6000)
if not 0 <= REQUESTS_PER_MINUTE < 2**31:
    raise ImproperlyConfigured(
        f"REQUESTS_PER_MINUTE is from 0 (without limit) to 2147483647, not {REQUESTS_PER_MINUTE}."
    )
# How long a repeated Idempotency-Key is answered again, at least.
IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", default=24)
if not 24 <= IDEMPOTENCY_HOURS <= 24 * 366:
    raise ImproperlyConfigured(f"IDEMPOTENCY_HOURS is from 24 to 8784, not {IDEMPOTENCY_HOURS}.")
# For how long a planned unenrolment may be begun.
PLAN_HOURS = env.int("PLAN_HOURS", default=24)
if not 1 <= PLAN_HOURS <= 24 * 31:
    raise ImproperlyConfigured(f"PLAN_HOURS is from 1 to 744, not {PLAN_HOURS}.")

# More customers than so many leave by an uploaded list only when a second person has approved it. 0: always.
BULK_APPROVAL_ABOVE = env.int("BULK_APPROVAL_ABOVE", default=500)
if not 0 <= BULK_APPROVAL_ABOVE < 2**31:
    raise ImproperlyConfigured(f"BULK_APPROVAL_ABOVE is 0 or more, not {BULK_APPROVAL_ABOVE}.")
# How long such a list is kept.
BULK_DAYS = env.int("BULK_DAYS", default=90)
if not 1 <= BULK_DAYS <= 3660:
    raise ImproperlyConfigured(f"BULK_DAYS is from 1 to 3660, not {BULK_DAYS}.")

# How long refused calls are collected before they are counted in the database, for support. 0: they are not counted.
REFUSED_CALLS_SECONDS = env.int("REFUSED_CALLS_SECONDS", default=5)
if not 0 <= REFUSED_CALLS_SECONDS <= 300:
    raise ImproperlyConfigured(f"REFUSED_CALLS_SECONDS is from 0 (never) to 300, not {REFUSED_CALLS_SECONDS}.")
# How long these counts are kept.
REFUSED_CALLS_DAYS = env.int("REFUSED_CALLS_DAYS", default=90)
if not 7 <= REFUSED_CALLS_DAYS <= 3660:
    raise ImproperlyConfigured(f"REFUSED_CALLS_DAYS is from 7 to 3660, not {REFUSED_CALLS_DAYS}.")

# How long after an unenrolment it can be undone: from then on enrolling again is the way back.
UNDO_HOURS = env.int("UNDO_HOURS", default=24)
if not 0 <= UNDO_HOURS <= 24 * 366:
    raise ImproperlyConfigured(f"UNDO_HOURS is from 0 (never) to 8784, not {UNDO_HOURS}.")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.bearer.BearerAuthentication",  # the first one writes the challenge of a 401
        "config.authentication.BrandBasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.permissions.OperationPermission"],
    "DEFAULT_THROTTLE_CLASSES": ["config.throttling.ClientQuota"],
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
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema_refusals.add_shared",
        "config.schema_examples.add_examples",
    ],
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
        "django.security.DisallowedHost": {
            "level": "CRITICAL"
        },  # so is what he made up: not for him to fill the log with tracebacks
        "oauthlib": {"level": "INFO"},  # below that it writes the tokens it issues
    },
}
