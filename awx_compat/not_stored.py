"""The collections of AWX that this service does not store: their lists are empty.

From a declaration follow the routes, OPTIONS and the entry in ``/api/v2/``. Fields are those that clients show, filter
by, or read choices of. Sources: AWX's public documentation, and its clients awxkit and awx.awx.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from awx_compat.declared import COMPUTED, DATE, FLAG, JSON, NUMBER, OBJECT, RECORD, TEXT, TIME, Field, choice, each

Fields = Mapping[str, Field]
SEARCHED = ("name", "description", "hostname", "identifier")

JOB_STATES = ("new", "pending", "waiting", "running", "successful", "failed", "error", "canceled")
STATUS = choice(*JOB_STATES, "never updated", "ok", "missing", "none", "updating")
JOB_TYPE = choice("run", "check")
VERBOSITY = choice(labels={level: f"{level} (-{'v' * level})" if level else "0" for level in range(6)})
UPDATE_VERBOSITY = choice(labels={0: "0 (WARNING)", 1: "1 (INFO)", 2: "2 (DEBUG)"})
WEBHOOKS = choice(labels={"": "None", "github": "GitHub", "gitlab": "GitLab"})
GRANTS = choice(labels={"authorization-code": "Authorization code", "password": "Resource owner password-based"})
INVENTORIES = choice(labels={"": "Inventory", "smart": "Smart inventory", "constructed": "Constructed inventory"})
SCM = {"": "Manual", "git": "Git", "svn": "Subversion", "insights": "Red Hat Insights", "archive": "Remote Archive"}
CREDENTIALS = {
    "ssh": "Machine",
    "vault": "Vault",
    "net": "Network",
    "scm": "Source Control",
    "cloud": "Cloud",
    "registry": "Container Registry",
    "token": "Personal Access Token",
    "insights": "Insights",
    "external": "External",
    "kubernetes": "Kubernetes",
    "galaxy": "Galaxy/Automation Hub",
    "cryptography": "Cryptography",
}
NOTIFICATION_TYPE = Field(kind="choice", choices=attrgetter("notification_types"))
SOURCE = Field(kind="choice", choices=attrgetter("inventory_sources"))

BEGINNING: Fields = {
    "id": NUMBER,
    "type": TEXT,
    "url": TEXT,
    **each(OBJECT, "related", "summary_fields"),
    **each(TIME, "created", "modified"),
}
NAMED = each(TEXT, "name", "description")
OWNED = {**NAMED, "organization": RECORD}
TEMPLATE: Fields = {
    **NAMED,
    **each(TIME, "last_job_run", "next_job_run"),
    "last_job_failed": FLAG,
    "status": STATUS,
    "execution_environment": RECORD,
}
PROMPTS: Fields = {
    "job_type": JOB_TYPE,
    "inventory": RECORD,
    **each(TEXT, "scm_branch", "limit", "job_tags", "skip_tags"),
    "verbosity": VERBOSITY,
    "diff_mode": FLAG,
}
INVENTORY: Fields = {
    **OWNED,
    "kind": INVENTORIES,
    "host_filter": TEXT,
    "variables": JSON,
    **each(FLAG, "has_active_failures", "has_inventory_sources", "pending_deletion"),
    **each(NUMBER, "total_hosts", "total_groups"),
}
NODE: Fields = {
    **PROMPTS,
    "unified_job_template": RECORD,
    "all_parents_must_converge": FLAG,
    "identifier": TEXT,
}


@dataclass(frozen=True, eq=False)
class Collection:
    """A collection of AWX without records here."""

    name: str  # in the body of /api/v2/
    record_type: str
    fields: Fields  # of a record, beside those that every record begins with
    path: str = ""  # below /api/v2/, where it is not the name
    is_created: bool = True  # whether AWX lets users create records

    @property
    def route(self) -> str:
        return self.path or self.name

    @property
    def title(self) -> str:
        return self.route.replace("_", " ").title()

    @property
    def noun(self) -> str:
        """A record in sentences."""
        return self.record_type.removeprefix("o_auth2_").replace("_", " ")

    @property
    def model(self) -> str:
        """AWX's model, which messages name."""
        return "".join(word.title() for word in self.record_type.split("_"))

    @property
    def all_fields(self) -> Fields:
        return {**BEGINNING, "type": choice(labels={self.record_type: self.noun.title()}), **self.fields}

    @property
    def search_fields(self) -> list[str]:
        return [name for name in SEARCHED if name in self.fields]

    @property
    def related_search_fields(self) -> list[str]:
        return [f"{name}__search" for name, field in self.fields.items() if field.kind == "id"]


COLLECTIONS = (
    Collection(
        "organizations",
        "organization",
        {**NAMED, "max_hosts": NUMBER, "custom_virtualenv": TEXT, "default_environment": RECORD},
    ),
    Collection(
        "execution_environments",
        "execution_environment",
        {**OWNED, "image": TEXT, "managed": FLAG, "credential": RECORD, "pull": choice("always", "missing", "never")},
    ),
    Collection(
        "projects",
        "project",
        {
            **TEMPLATE,
            "scm_type": choice(labels=SCM),
            **each(TEXT, "local_path", "scm_url", "scm_branch", "scm_refspec", "scm_revision"),
            **each(FLAG, "scm_clean", "scm_track_submodules", "scm_delete_on_update", "scm_update_on_launch"),
            **each(NUMBER, "timeout", "scm_update_cache_timeout"),
            **each(RECORD, "organization", "credential", "default_environment", "signature_validation_credential"),
        },
    ),
    Collection("teams", "team", OWNED),
    Collection(
        "credentials",
        "credential",
        {
            **OWNED,
            "credential_type": RECORD,
            "kind": TEXT,
            "inputs": JSON,
            **each(FLAG, "managed", "cloud", "kubernetes"),
        },
    ),
    Collection(
        "credential_types",
        "credential_type",
        {
            **NAMED,
            "kind": choice(labels=CREDENTIALS),
            "namespace": TEXT,
            "managed": FLAG,
            **each(JSON, "inputs", "injectors"),
        },
    ),
    Collection(
        "credential_input_sources",
        "credential_input_source",
        {
            **each(TEXT, "description", "input_field_name"),
            "metadata": JSON,
            **each(RECORD, "target_credential", "source_credential"),
        },
    ),
    Collection(
        "applications",
        "o_auth2_application",
        {
            **OWNED,
            **each(TEXT, "client_id", "redirect_uris"),
            "client_type": choice("confidential", "public"),
            "authorization_grant_type": GRANTS,
            "skip_authorization": FLAG,
        },
    ),
    Collection("inventory", "inventory", INVENTORY, path="inventories"),
    Collection(
        "constructed_inventory",
        "inventory",
        {
            **INVENTORY,
            **each(TEXT, "source_vars", "limit"),
            "update_cache_timeout": NUMBER,
            "verbosity": UPDATE_VERBOSITY,
        },
        path="constructed_inventories",
    ),
    Collection(
        "inventory_sources",
        "inventory_source",
        {
            **TEMPLATE,
            "source": SOURCE,
            **each(TEXT, "source_path", "source_vars", "scm_branch", "enabled_var", "enabled_value", "host_filter"),
            **each(RECORD, "inventory", "credential", "source_project"),
            **each(FLAG, "overwrite", "overwrite_vars", "update_on_launch"),
            **each(NUMBER, "timeout", "update_cache_timeout"),
            "limit": TEXT,
            "verbosity": UPDATE_VERBOSITY,
        },
    ),
    Collection("groups", "group", {**NAMED, "inventory": RECORD, "variables": JSON}),
    Collection(
        "hosts",
        "host",
        {
            **NAMED,
            "instance_id": TEXT,
            "variables": JSON,
            **each(RECORD, "inventory", "last_job", "last_job_host_summary"),
            **each(FLAG, "enabled", "has_active_failures", "has_inventory_sources"),
        },
    ),
    Collection(
        "host_metrics",
        "host_metric",
        {
            "hostname": TEXT,
            **each(TIME, "first_automation", "last_automation", "last_deleted"),
            **each(NUMBER, "automated_counter", "deleted_counter", "used_in_inventories"),
            "deleted": FLAG,
        },
        is_created=False,
    ),
    Collection(
        "host_metric_summary_monthly",
        "host_metric_summary_monthly",
        {
            "date": DATE,
            **each(NUMBER, "license_consumed", "license_capacity", "hosts_added", "hosts_deleted"),
        },
        is_created=False,
    ),
    Collection(
        "job_templates",
        "job_template",
        {
            **TEMPLATE,
            **PROMPTS,
            **each(RECORD, "organization", "project", "webhook_credential"),
            "playbook": TEXT,
            "extra_vars": JSON,
            **each(NUMBER, "forks", "timeout", "job_slice_count"),
            **each(FLAG, "use_fact_cache", "survey_enabled", "become_enabled", "allow_simultaneous"),
            "webhook_service": WEBHOOKS,
        },
    ),
    Collection(
        "system_job_templates",
        "system_job_template",
        {
            **TEMPLATE,
            "job_type": choice("cleanup_jobs", "cleanup_activitystream", "cleanup_sessions", "cleanup_tokens"),
        },
        is_created=False,
    ),
    Collection(
        "schedules",
        "schedule",
        {
            **NAMED,
            **PROMPTS,
            **each(RECORD, "unified_job_template", "execution_environment"),
            "enabled": FLAG,
            "rrule": TEXT,
            **each(TIME, "dtstart", "dtend", "next_run"),
            **each(COMPUTED, "timezone", "until"),
            "extra_data": JSON,
        },
    ),
    Collection(
        "notification_templates",
        "notification_template",
        {**OWNED, "notification_type": NOTIFICATION_TYPE, **each(JSON, "notification_configuration", "messages")},
    ),
    Collection(
        "notifications",
        "notification",
        {
            "notification_template": RECORD,
            "status": choice("pending", "successful", "failed"),
            "notification_type": NOTIFICATION_TYPE,
            "notifications_sent": NUMBER,
            **each(TEXT, "error", "recipients", "subject"),
            "body": JSON,
        },
        is_created=False,
    ),
    Collection("labels", "label", {"name": TEXT, "organization": RECORD}),
    Collection("unified_job_templates", "unified_job_template", TEMPLATE, is_created=False),
    Collection(
        "activity_stream",
        "activity_stream",
        {
            "timestamp": TIME,
            "operation": choice("create", "update", "delete", "associate", "disassociate"),
            "changes": JSON,
            **each(TEXT, "object1", "object2", "action_node"),
            **each(COMPUTED, "object_association", "object_type"),
        },
        is_created=False,
    ),
    Collection(
        "workflow_job_templates",
        "workflow_job_template",
        {
            **TEMPLATE,
            **each(RECORD, "organization", "inventory", "webhook_credential"),
            "extra_vars": JSON,
            **each(TEXT, "limit", "scm_branch", "job_tags", "skip_tags"),
            **each(FLAG, "survey_enabled", "allow_simultaneous"),
            "webhook_service": WEBHOOKS,
        },
    ),
    Collection(
        "workflow_approvals",
        "workflow_approval",
        {
            **NAMED,
            "unified_job_template": RECORD,
            "status": choice(*JOB_STATES),
            **each(FLAG, "failed", "timed_out"),
            **each(TIME, "started", "finished", "canceled_on"),
            **each(COMPUTED, "can_approve_or_deny", "approval_expiration"),
        },
        is_created=False,
    ),
    Collection("workflow_job_template_nodes", "workflow_job_template_node", {**NODE, "workflow_job_template": RECORD}),
    Collection(
        "workflow_job_nodes",
        "workflow_job_node",
        {**NODE, **each(RECORD, "workflow_job", "job"), "do_not_run": FLAG},
        is_created=False,
    ),
)
ROUTES = {collection.name: collection.route for collection in COLLECTIONS}
BY_ROUTE = {collection.route: collection for collection in COLLECTIONS}
