"""The service's settings, each read from the environment; docs/configuration.md lists the variables."""

import socket
import sys
from uuid import UUID

from awx_compat.dialects import DIALECTS
from awx_compat.paths import BESIDE_AWX, OF_AWX
from settings import env

read = env.Environment()

DEBUG = read.bool("DEBUG", False)
SECRET_KEY = read.str("SECRET_KEY", validate=env.not_empty)
SECRET_KEY_FALLBACKS = read.list("SECRET_KEY_FALLBACKS", [], subcast=str)  # earlier keys, whose sessions go on
ALLOWED_HOSTS = read.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
# Proxies whose X-Forwarded-For and -Proto are trusted; the middleware drops these headers of other clients.
TRUSTED_PROXIES = read.list("TRUSTED_PROXIES", ["127.0.0.0/8", "::1", env.UNIX], validate=env.peers)
CSRF_TRUSTED_ORIGINS = read.list("CSRF_TRUSTED_ORIGINS", [], subcast=str)
# The path below which a proxy serves the service, as "/awx"; empty for the whole host.
BASE_PATH = env.base_path(read.str("BASE_PATH", "", validate=env.served_below))
FORCE_SCRIPT_NAME = BASE_PATH or None
# Names of further paths of AWX's API: "controller" for /api/controller/v2/. AWX's OPTIONAL_API_URLPATTERN_PREFIX.
API_PREFIXES = read.list("API_PREFIXES", [], subcast=str, validate=env.names_below_api(OF_AWX | BESIDE_AWX))
DATA_DIR = read.path("DATA_DIR", env.default_data_dir())
LOG_LEVEL = read.str(
    "LOG_LEVEL", "INFO", validate=env.validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
)
LOG_FORMAT = read.str("LOG_FORMAT", "auto", validate=env.validate.OneOf(["auto", "text", "json"]))
ACCESS_LOG = read.bool("ACCESS_LOG", True)  # a record for each request
PROCESS_METRICS = read.bool("PROCESS_METRICS", True)  # whether the processes of "serve" measure themselves

# --- AWX's own settings, under AWX's names
CLUSTER_HOST_ID = read.str("CLUSTER_HOST_ID", socket.gethostname(), validate=env.not_empty)
INSTALL_UUID = str(read.uuid("INSTALL_UUID", UUID(int=0)))
IS_K8S = read.bool("IS_K8S", False)
AUDITORS_FETCH_BUNDLES = read.bool("AUDITORS_FETCH_BUNDLES", None)  # None: as the AWX of AWX_VERSION
# None: as the AWX that is mirrored; instances/mirror/spoken.py then sets AWX_VERSION, once, as a process starts.
CHOSEN_AWX_VERSION = read.str("AWX_VERSION", None, validate=env.validate.OneOf(list(DIALECTS)))
AWX_VERSION = CHOSEN_AWX_VERSION or next(iter(DIALECTS))
AWX_CONTROL_NODE_TASK_IMPACT = read.int("AWX_CONTROL_NODE_TASK_IMPACT", 1, validate=env.not_negative)
SYSTEM_TASK_FORKS_CPU = read.int("SYSTEM_TASK_FORKS_CPU", 4, validate=env.positive)
SYSTEM_TASK_FORKS_MEM = read.int("SYSTEM_TASK_FORKS_MEM", 100, validate=env.positive)

SYSTEM_TASK_ABS_CPU = read.str(
    "SYSTEM_TASK_ABS_CPU", "", validate=env.cpu_quantity
)  # "500m", "4"; empty is as reported
SYSTEM_TASK_ABS_MEM = read.str("SYSTEM_TASK_ABS_MEM", "", validate=env.memory_quantity)  # "2Gi", "512M" or bytes
SYSTEM_UUID = read.str("SYSTEM_UUID", "", validate=env.short_uuid)  # of the node that the service runs on

# --- health; seconds throughout
# How health checks run: "receptor" through the mesh, "local" on this machine; "agent" waits for the node's own report.
# Empty: no health check can be started.
HEALTH_PROBE = read.str("HEALTH_PROBE", "", validate=env.validate.OneOf(["", "receptor", "local", "agent"]))
HEALTH_CHECK_TIMEOUT = read.int("HEALTH_CHECK_TIMEOUT", 120, validate=env.between(5, 86_400))
RECEPTOR_SOCKET = read.str("RECEPTOR_SOCKET", "")  # the control socket of this node's Receptor
RECEPTOR_TLS_CLIENT = read.str("RECEPTOR_TLS_CLIENT", "")  # the name of Receptor's tls-client for connections to nodes
RECEPTOR_SIGN_WORK = read.bool("RECEPTOR_SIGN_WORK", True)  # nodes that install bundles set up refuse unsigned work
RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD = read.int("RECEPTOR_SERVICE_ADVERTISEMENT_PERIOD", 60, validate=env.positive)
CLUSTER_NODE_HEARTBEAT_PERIOD = read.int("CLUSTER_NODE_HEARTBEAT_PERIOD", 60, validate=env.positive)
CLUSTER_NODE_MISSED_HEARTBEAT_TOLERANCE = read.int(
    "CLUSTER_NODE_MISSED_HEARTBEAT_TOLERANCE", 2, validate=env.between(1, 1000)
)
EXECUTION_NODE_REMEDIATION_CHECKS = read.int("EXECUTION_NODE_REMEDIATION_CHECKS", 1800, validate=env.positive)
if HEALTH_PROBE == "receptor" and not RECEPTOR_SOCKET:
    read.refuse("RECEPTOR_SOCKET", "Must name Receptor's control socket where HEALTH_PROBE is receptor.")

# The mesh's CA and the public key that verifies work, as paths of PEM files, which "awx-instances create_mesh_ca"
# creates. Without them install bundles are not available.
RECEPTOR_CA_CERT = read.str("RECEPTOR_CA_CERT", "")
RECEPTOR_CA_KEY = read.str("RECEPTOR_CA_KEY", "")
RECEPTOR_WORK_PUBLIC_KEY = read.str("RECEPTOR_WORK_PUBLIC_KEY", "")
# Days for which a new certificate of a node or of the CA is valid. Receptor reads no revocation list.
RECEPTOR_CERTIFICATE_DAYS = read.int("RECEPTOR_CERTIFICATE_DAYS", 3650, validate=env.between(1, 36_500))

# --- the database
url = read.str("DATABASE_URL", "", validate=env.postgresql_url)
# What is between the service and PostgreSQL: nothing, or a pooler in one of these modes.
DATABASE_POOLER = read.str("DATABASE_POOLER", "", validate=env.validate.OneOf(["", env.SESSION, env.TRANSACTION]))
# libpq waits at least 2 seconds, for each host in the URL.
DATABASE_CONNECT_TIMEOUT = read.int("DATABASE_CONNECT_TIMEOUT", 2, validate=env.between(2, 3600))  # seconds
# The WSGI application sets another default for its processes (settings/wsgi.py); commands have no limit.
chosen = read.int("STATEMENT_TIMEOUT", None, validate=env.not_negative)  # milliseconds; 0 is no limit
STATEMENT_TIMEOUT = chosen or 0
CONNECTION_SETTINGS = env.connection_settings(url, STATEMENT_TIMEOUT)
# Those of the processes that serve, whose role needs them for a pooler in transaction mode.
SERVING_SETTINGS = env.connection_settings(url, env.SERVING_STATEMENT_TIMEOUT if chosen is None else chosen)
DATABASES = {
    "default": env.database(
        url, connect_timeout=DATABASE_CONNECT_TIMEOUT, settings=CONNECTION_SETTINGS, pooler=DATABASE_POOLER
    )
}
if DATABASES["default"]["ENGINE"] == "settings.embedded" and not env.can_be_written(DATA_DIR):
    read.refuse("DATA_DIR", "Must be a writable folder, or one that can be created.")
if DATABASE_POOLER and not url:
    read.refuse("DATABASE_POOLER", "Needs DATABASE_URL, which leads to the pooler.")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- limits of requests, in bytes and seconds
MAX_BODY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE = read.int("MAX_BODY_SIZE", 5_000_000, validate=env.between(65_536))
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000  # AWX's interface sends one for each record that a list shall not have
COMPRESSION = read.bool("COMPRESSION", True)  # of responses, by gzip
HEADER_TIMEOUT = read.int("HEADER_TIMEOUT", 30, validate=env.between(1, 3600))
BODY_TIMEOUT = read.int("BODY_TIMEOUT", 30, validate=env.between(1, 3600))
# For which a request waits for a thread of "serve" before it is refused; longer than a database takes to fail over.
QUEUE_SECONDS = read.int("QUEUE_SECONDS", 10, validate=env.between(0, 3600))
FILE_UPLOAD_HANDLERS: list[str] = []  # no view accepts files
# For which "serve" reports that it is not ready, and goes on to answer, before it stops.
DRAIN_SECONDS = read.int("DRAIN_SECONDS", 2, validate=env.between(0, 3600))

# --- the cache of answers, each confirmed by the database in the request; bytes per process, 0 is no cache
ANSWER_CACHE_SIZE = read.int("ANSWER_CACHE_SIZE", 16_000_000, validate=env.not_negative)

# --- the background work
# Seconds between two heartbeats of a worker; other workers take over the jobs of one that missed three.
WORKER_HEARTBEAT = read.int("WORKER_HEARTBEAT", 5, validate=env.positive)

# Days after whose end a job is removed; 0: never. In a mirror the AWX decides.
JOBS_KEPT_DAYS = read.int("JOBS_KEPT_DAYS", 0, validate=env.between(0, 36_500))

# Whether anybody may ask at /api/fleet/v1/instances/{id}/ping/ if an instance is up, as load balancers do.
PUBLIC_INSTANCE_PING = read.bool("PUBLIC_INSTANCE_PING", False)

# --- the mirror of a live AWX
# Age in seconds from which on a mirror is stale; 0: three periods of "sync_awx --follow", and the time of a sync.
MIRROR_STALE_AFTER = read.float("MIRROR_STALE_AFTER", 0, validate=env.not_negative)
# Limits of one sync, which ends when it exceeds one. The memory of a sync is about three times the bytes.
# With which a mirror disables nodes in its AWX; read from DRAIN_TOKEN_FILE, as a rule.
DRAIN_TOKEN = read.str("DRAIN_TOKEN", "", validate=env.secret_line)
MIRROR_MAX_RECORDS = read.int("MIRROR_MAX_RECORDS", 500_000, validate=env.positive)
MIRROR_MAX_BYTES = read.int("MIRROR_MAX_BYTES", 2**30, validate=env.between(1, 2**40))  # decompressed
MIRROR_MAX_SECONDS = read.int("MIRROR_MAX_SECONDS", 3600, validate=env.positive)

# --- applications
INSTALLED_APPS = [
    "awx_compat",
    "fleet",
    "instances",
    "oauth2_provider",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_guid",
    "procrastinate.contrib.django",
    "instances.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
# The order of the headers ``Vary`` is part of AWX's dialect: Accept, Accept-Language, Origin, Cookie.
MIDDLEWARE = [
    "awx_compat.middleware.forwarded_client",  # first: the others read the client's address and scheme
    "awx_compat.middleware.route_plain_paths",  # the others read the path
    "django_guid.middleware.guid_middleware",
    "awx_compat.compression.CompressionMiddleware",
    "awx_compat.middleware.policy_of_pages",
    "django.middleware.security.SecurityMiddleware",
    "awx_compat.static_files.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "awx_compat.middleware.record_origin",
    "awx_compat.access_log.note_request",
    "awx_compat.middleware.dialect_headers",
    "awx_compat.middleware.refuse_large_bodies",
    "django.middleware.locale.LocaleMiddleware",
    "awx_compat.middleware.add_missing_slash",
    "django.middleware.common.CommonMiddleware",
    "awx_compat.middleware.LoginRefusals",
    "awx_compat.middleware.refuse_null_characters",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "awx_compat.answer_cache.read_one_state",
]
ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"
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
STATIC_URL = f"{BASE_PATH}/static/"
STORAGES = {"staticfiles": {"BACKEND": "awx_compat.static_files.PackagedStorage"}}  # no other files are stored
WHITENOISE_USE_FINDERS = True  # static files are served from the installed packages; nothing to collect
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en"
LANGUAGES = [(code, code) for code in ("en", "es", "fr", "ja", "ko", "nl", "zh-hans")]  # those that AWX speaks
USE_TZ = True
TIME_ZONE = "UTC"

# --- who is who
AUTH_USER_MODEL = "instances.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = ["awx_compat.passwords.PasswordBackend"]
PASSWORD_HASHERS = [f"instances.hashing.{name}" for name in ("PBKDF2", "PBKDF2SHA1", "Scrypt")]  # the first makes new
# Wrong passwords within LOGIN_FAILURE_WINDOW seconds, after which no more are tried until it ends: for one name from
# one address, for one name from addresses that are new to it, and from one address for names that are new to it.
LOGIN_FAILURE_LIMIT = read.int("LOGIN_FAILURE_LIMIT", 10, validate=env.positive)
LOGIN_FAILURE_LIMIT_BY_NAME = read.int("LOGIN_FAILURE_LIMIT_BY_NAME", 50, validate=env.positive)
LOGIN_FAILURE_LIMIT_BY_ADDRESS = read.int("LOGIN_FAILURE_LIMIT_BY_ADDRESS", 100, validate=env.positive)
LOGIN_FAILURE_WINDOW = read.int("LOGIN_FAILURE_WINDOW", 900, validate=env.between(1, 86_400))
# Each takes a core for half a second, and holds one of the threads.
PASSWORD_HASHES_AT_ONCE = read.int("PASSWORD_HASHES_AT_ONCE", 1, validate=env.positive)  # of a process; as many wait
LOGIN_URL = "login"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = BASE_PATH or "/"
SESSION_COOKIE_NAME = "awx_sessionid"
SESSION_COOKIE_AGE = read.int("SESSION_COOKIE_AGE", 1800, validate=env.positive)
CSRF_FAILURE_VIEW = "awx_compat.views.errors.csrf_failure"
CSRF_COOKIE_AGE = None  # as long as the browser runs
SESSION_SAVE_EVERY_REQUEST = True  # a session ends SESSION_COOKIE_AGE seconds after its last request
OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS = read.int("OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS", 31536000000, validate=env.lifetime)
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "oauth2_provider.AccessToken"  # noqa: S105
OAUTH2_PROVIDER = {
    "SCOPES": {"read": "Read", "write": "Read and change"},
    "ACCESS_TOKEN_EXPIRE_SECONDS": OAUTH2_ACCESS_TOKEN_EXPIRE_SECONDS,
    # RFC 9700: only a token's SHA-256 is stored, and none of the older ways to obtain or carry one is offered.
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
}

# Whether who administers a group may set its policies and its pod specification, as in AWX. A policy takes any node
# into the group.
GROUP_ADMINS_SET_POLICIES = read.bool("GROUP_ADMINS_SET_POLICIES", True)

# --- behind HTTPS
HTTPS = read.bool("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = read.int("SECURE_HSTS_SECONDS", 31536000 if HTTPS else 0, validate=env.not_negative)
SECURE_HSTS_INCLUDE_SUBDOMAINS = read.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)  # it binds other hosts too
SECURE_HSTS_PRELOAD = read.bool("SECURE_HSTS_PRELOAD", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

# --- the API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "awx_compat.authentication.BearerAuthentication",
        "awx_compat.authentication.BasicAuthentication",
        "awx_compat.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["awx_compat.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["awx_compat.renderers.JSONRenderer", "awx_compat.browsable.BrowsableRenderer"],
    "DEFAULT_PARSER_CLASSES": ["awx_compat.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": [
        "awx_compat.filters.FieldFilter",
        "awx_compat.filters.TypeFilter",
        "awx_compat.filters.SearchFilter",
        "awx_compat.filters.OrderFilter",
    ],
    "DEFAULT_METADATA_CLASS": "awx_compat.metadata.Metadata",
    "DEFAULT_PAGINATION_CLASS": "awx_compat.pagination.Pagination",
    "DEFAULT_SCHEMA_CLASS": "awx_compat.openapi.schema.Schema",
    "EXCEPTION_HANDLER": "awx_compat.exceptions.handle",
    "NON_FIELD_ERRORS_KEY": "__all__",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# The OpenAPI document; its texts are in awx_compat/openapi/descriptions.py.
SPECTACULAR_SETTINGS = {
    "TITLE": "AWX-compatible instance service",
    "VERSION": "2",
    "OAS_VERSION": "3.1.0",
    "LICENSE": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "SERVERS": [{"url": BASE_PATH or "/"}],
    "COMPONENT_SPLIT_REQUEST": True,  # requests and responses have different fields
    "SORT_OPERATION_PARAMETERS": False,  # fields first, as their record has them, then pages
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "NodeType": "instances.models.Instance.NodeType",
        "NodeState": "instances.models.Instance.NodeState",
        "LinkState": "instances.models.InstanceLink.State",
        "ReceptorProtocol": "instances.models.ReceptorAddress.Protocol",
        "JobType": "instances.models.UnifiedJob.Type",
        "JobStatus": "instances.models.UnifiedJob.Status",
        "LaunchType": "instances.models.UnifiedJob.LaunchType",
        "ConditionType": "instances.models.Condition.Type",
        "ConditionStatus": "instances.models.Condition.Status",
        "ConditionReason": "instances.health.reasons.REASONS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "awx_compat.openapi.schema.complete",
    ],
    "ENABLE_DJANGO_DEPLOY_CHECK": True,
}
DJANGO_GUID = {"GUID_HEADER_NAME": "X-API-Request-Id", "VALIDATE_GUID": True, "INTEGRATIONS": []}

# --- logs: one line an event, on standard error; "auto" is text for people who read it in a terminal
LOGS_ARE_TEXT = LOG_FORMAT == "text" or (LOG_FORMAT == "auto" and sys.stderr.isatty())
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "instances.logs.RequestIdFilter"},
        "one_line": {"()": "instances.logs.OneLineFilter"},
    },
    "formatters": {
        "text": {
            "()": "instances.logs.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(of_request)s%(message)s",
        },
        "json": {"()": "instances.logs.ObjectFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "text" if LOGS_ARE_TEXT else "json",
            "filters": ["request_id", "one_line"],
        },
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": LOG_LEVEL, "handlers": [], "propagate": True},
        "django.request": {"level": "ERROR"},  # errors of clients are answered, not logged
        "django.security": {"level": "CRITICAL"},  # likewise
        "django.security.csrf": {"level": LOG_LEVEL},  # may be solved by CSRF_TRUSTED_ORIGINS
        "django_guid": {"level": "ERROR"},
        "access": {"level": "INFO"},  # whatever LOG_LEVEL is
        "instances.audit": {"level": "INFO"},  # likewise
        "httpx": {"level": "WARNING"},  # each request of a sync
        "psycopg.pool": {"level": "ERROR"},  # each attempt of the worker to connect
        "procrastinate": {"level": "WARNING"},  # instances.tasks logs the results of jobs
    },
}

read.seal()
