"""The settings of AWX itself, in the categories that its web interfaces show."""

from operator import attrgetter
from typing import Any

from oauth2_provider.settings import oauth2_settings

from awx_compat.awx_settings.kinds import Setting, Settings, flag, items, mapping, number, one_of, seconds, text


def lifetimes(settings: Any) -> dict[str, int | None]:
    """How long tokens and codes of OAuth2 are valid, in seconds; null for ever."""
    return {name: getattr(oauth2_settings, name) for name in LIFETIMES}


LIFETIMES = {
    "ACCESS_TOKEN_EXPIRE_SECONDS": 31536000000,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 2628000,
}
MODULES = (
    "command shell yum apt apt_key apt_repository apt_rpm service group user mount ping selinux setup win_ping "
    "win_service win_updates win_group win_user"
)
LEVELS = {level: level for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
NONE = {None: "---------"}

SYSTEM: Settings = {
    "IS_K8S": flag(
        "Whether instances can be created and removed over the API.", source=attrgetter("IS_K8S"), is_read_only=True
    ),
    "INSTALL_UUID": text("UUID of the installation.", source=attrgetter("INSTALL_UUID"), is_read_only=True),
    "AWX_CONTROL_NODE_TASK_IMPACT": number(
        "Forks that a job consumes on its control node.",
        1,
        source=attrgetter("AWX_CONTROL_NODE_TASK_IMPACT"),
        is_read_only=True,
    ),
    "ACTIVITY_STREAM_ENABLED": flag("Whether changes are recorded in the activity stream."),
    "ACTIVITY_STREAM_ENABLED_FOR_INVENTORY_SYNC": flag("Whether changes by inventory updates are recorded there, too."),
    "ORG_ADMINS_CAN_SEE_ALL_USERS": flag("Whether administrators of an organization see all users and teams.", True),
    "MANAGE_ORGANIZATION_AUTH": flag("Whether administrators of an organization change its users and teams.", True),
    "TOWER_URL_BASE": text("The URL of the service, as notifications name it.", "https://towerhost"),
    "REMOTE_HOST_HEADERS": items(
        "Where the address of a client is looked for, in this order.", ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]
    ),
    "PROXY_IP_ALLOWED_LIST": items(
        "Proxies whose headers are trusted.", [], source=lambda settings: list(settings.TRUSTED_PROXIES)
    ),
    "LICENSE": mapping("The licence: none is needed.", {}, is_read_only=True),
    "REDHAT_USERNAME": text("Account to which analytics are sent."),
    "REDHAT_PASSWORD": text("Its password."),
    "SUBSCRIPTIONS_USERNAME": text("Account with subscriptions."),
    "SUBSCRIPTIONS_PASSWORD": text("Its password, likewise."),
    "AUTOMATION_ANALYTICS_URL": text("Where analytics would be sent.", "https://example.com"),
    "AUTOMATION_ANALYTICS_GATHER_INTERVAL": seconds("Time between two gatherings of analytics.", 14400),
    "AUTOMATION_ANALYTICS_LAST_GATHER": Setting(kind="datetime", default=None, help_text="When that was done last."),
    "AUTOMATION_ANALYTICS_LAST_ENTRIES": text("What was gathered then."),
    "INSIGHTS_TRACKING_STATE": flag("Whether analytics are gathered."),
    "SUBSCRIPTION_USAGE_MODEL": one_of(
        "How the use of a subscription is counted.",
        "",
        {"": "No subscription", "unique_managed_hosts": "Managed hosts"},
    ),
    "DEFAULT_EXECUTION_ENVIRONMENT": Setting(
        kind="field", default=None, help_text="The execution environment of jobs that have none."
    ),
    "CUSTOM_VENV_PATHS": items("Folders with virtual environments.", []),
    "UI_NEXT": flag("Whether AWX's newer web interface is offered."),
}

JOBS: Settings = {
    "AD_HOC_COMMANDS": items("Modules that ad hoc commands may use.", MODULES.split()),
    "ALLOW_JINJA_IN_EXTRA_VARS": one_of(
        "Where extra variables may have templates.",
        "template",
        {"always": "Always", "never": "Never", "template": "In job templates"},
    ),
    "AWX_ISOLATION_BASE_PATH": text("Folder in which jobs run.", "/tmp"),  # noqa: S108 - no file is made here
    "AWX_ISOLATION_SHOW_PATHS": items("Folders that isolated jobs see as well.", []),
    "AWX_TASK_ENV": mapping("Environment variables of jobs.", {}, "string"),
    "GALAXY_TASK_ENV": mapping(
        "Environment variables while collections and roles are installed.",
        {"ANSIBLE_FORCE_COLOR": "false", "GIT_SSH_COMMAND": "ssh -o StrictHostKeyChecking=no"},
        "string",
    ),
    "PROJECT_UPDATE_VVV": flag("Whether project updates are verbose."),
    "AWX_ROLES_ENABLED": flag("Whether projects may install roles.", True),
    "AWX_COLLECTIONS_ENABLED": flag("Whether projects may install collections.", True),
    "AWX_SHOW_PLAYBOOK_LINKS": flag("Whether symbolic links are followed in search of playbooks."),
    "AWX_MOUNT_ISOLATED_PATHS_ON_K8S": flag("Whether container groups see the folders of isolated jobs."),
    "GALAXY_IGNORE_CERTS": flag("Whether certificates of Galaxy servers go unchecked."),
    "STDOUT_MAX_BYTES_DISPLAY": number("Bytes of output that are shown.", 1048576),
    "EVENT_STDOUT_MAX_BYTES_DISPLAY": number("Bytes of output that are shown of an event.", 1024),
    "MAX_WEBSOCKET_EVENT_RATE": number("Events of jobs that are sent to web interfaces each second.", 30),
    "SCHEDULE_MAX_JOBS": number("Scheduled jobs of a template that may wait.", 10),
    "AWX_RUNNER_KEEPALIVE_SECONDS": seconds("Time between two signs of life of a job."),
    "AWX_ANSIBLE_CALLBACK_PLUGINS": items("Folders with callback plugins.", []),
    "DEFAULT_JOB_TIMEOUT": seconds("Longest time of a job; 0 for no limit."),
    "DEFAULT_JOB_IDLE_TIMEOUT": seconds("Longest time of a job without output; 0 for no limit."),
    "DEFAULT_INVENTORY_UPDATE_TIMEOUT": seconds("Longest time of an inventory update; 0 for no limit."),
    "DEFAULT_PROJECT_UPDATE_TIMEOUT": seconds("Longest time of a project update; 0 for no limit."),
    "ANSIBLE_FACT_CACHE_TIMEOUT": seconds("How long facts of a host are valid; 0 for ever."),
    "MAX_FORKS": number("Most forks of a job.", 200),
}

LOGGING: Settings = {
    "LOG_AGGREGATOR_ENABLED": flag(
        "Whether logs are sent to another host. This service writes them to standard error."
    ),
    "LOG_AGGREGATOR_HOST": text("The host that logs are sent to.", None),
    "LOG_AGGREGATOR_PORT": number("Its port.", None),
    "LOG_AGGREGATOR_TYPE": one_of(
        "The kind of that host.",
        None,
        NONE | {kind: kind for kind in ("logstash", "splunk", "loggly", "sumologic", "other")},
    ),
    "LOG_AGGREGATOR_USERNAME": text("Account on that host."),
    "LOG_AGGREGATOR_PASSWORD": text("The password of that account."),
    "LOG_AGGREGATOR_LOGGERS": items(
        "What is logged there.", ["awx", "activity_stream", "job_events", "system_tracking"]
    ),
    "LOG_AGGREGATOR_INDIVIDUAL_FACTS": flag("Whether each fact is a message."),
    "LOG_AGGREGATOR_TOWER_UUID": text("The service's name in messages."),
    "LOG_AGGREGATOR_PROTOCOL": one_of(
        "How messages are sent.", "https", {"https": "HTTPS/HTTP", "tcp": "TCP", "udp": "UDP"}
    ),
    "LOG_AGGREGATOR_TCP_TIMEOUT": seconds("How long a connection may take.", 5),
    "LOG_AGGREGATOR_VERIFY_CERT": flag("Whether the certificate of that host is checked.", True),
    "LOG_AGGREGATOR_LEVEL": Setting(
        kind="choice",
        default="INFO",
        help_text="The least severity that is logged.",
        choices=LEVELS,
        source=attrgetter("LOG_LEVEL"),
    ),
    "LOG_AGGREGATOR_ACTION_QUEUE_SIZE": number("Messages that may wait.", 131072),
    "LOG_AGGREGATOR_ACTION_MAX_DISK_USAGE_GB": number("Disk space of messages that wait, in GB.", 1),
    "LOG_AGGREGATOR_MAX_DISK_USAGE_PATH": text("Where they wait.", "/var/lib/awx"),
    "LOG_AGGREGATOR_RSYSLOGD_DEBUG": flag("Whether rsyslogd logs what it does."),
    "API_400_ERROR_LOG_FORMAT": text(
        "The message about a request that was refused.",
        "status {status_code} received by user {user_name} attempting to access {url_path} from {remote_addr}",
    ),
}

AUTHENTICATION: Settings = {
    "SESSION_COOKIE_AGE": seconds(
        "Time without a request after which a session ends.", 1800, source=attrgetter("SESSION_COOKIE_AGE")
    ),
    "SESSIONS_PER_USER": number("Sessions that a user may have at once; -1 for any number.", -1),
    "DISABLE_LOCAL_AUTH": flag("Whether passwords that the service stores are refused."),
    "AUTH_BASIC_ENABLED": flag("Whether requests may carry a name and a password.", True),
    "OAUTH2_PROVIDER": mapping(
        "How long tokens and codes of OAuth2 are valid.", LIFETIMES, "integer", unit="seconds", source=lifetimes
    ),
    "ALLOW_OAUTH2_FOR_EXTERNAL_USERS": flag("Whether users of other identity providers may have tokens."),
    "LOGIN_REDIRECT_OVERRIDE": text("Where users log in; empty for the service's own page."),
    "SOCIAL_AUTH_ORGANIZATION_MAP": mapping("Who is in which organization.", None),
    "SOCIAL_AUTH_TEAM_MAP": mapping("Who is in which team.", None),
    "SOCIAL_AUTH_USER_FIELDS": items("Fields of users of other identity providers.", None),
    "SOCIAL_AUTH_USERNAME_IS_FULL_EMAIL": flag("Whether their names are their email addresses."),
}

UI: Settings = {
    "PENDO_TRACKING_STATE": one_of(
        "Whether the use of the web interface is tracked.",
        "off",
        {"off": "Off", "anonymous": "Anonymous", "detailed": "Detailed"},
    ),
    "CUSTOM_LOGIN_INFO": text("A text on the login page."),
    "CUSTOM_LOGO": text("A logo, as a data URL."),
    "MAX_UI_JOB_EVENTS": number("Events of a job that the web interface reads at once.", 4000),
    "UI_LIVE_UPDATES_ENABLED": flag("Whether pages of the web interface follow events.", True),
}

DEBUG: Settings = {
    "AWX_CLEANUP_PATHS": flag("Whether folders of jobs are removed.", True),
    "AWX_REQUEST_PROFILE": flag("Whether requests are profiled."),
    "RECEPTOR_RELEASE_WORK": flag("Whether Receptor forgets work that has ended.", True),
}
