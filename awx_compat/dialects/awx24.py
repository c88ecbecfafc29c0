"""AWX 24.6.1."""

from awx_compat.dialects.base import Dialect

COLLECTIONS = (
    "ping",
    "instances",
    "instance_groups",
    "receptor_addresses",
    "config",
    "settings",
    "me",
    "dashboard",
    "organizations",
    "users",
    "teams",
    "tokens",
    "metrics",
    "roles",
    "unified_jobs",
    "workflow_approvals",
    "mesh_visualizer",
    "service_index",
    "role_definitions",
    "role_user_assignments",
    "role_team_assignments",
)
PATHS = {"service_index": "service-index"}  # where they are not the names
WITH_NAMED_URLS = ("instances", "instance_groups", "users")

DIALECT = Dialect(
    version="24.6.1",
    collections={name: PATHS.get(name, name) for name in COLLECTIONS},
    routes=("awx_compat.dialects.awx24_urls",),
    names="awx_compat.dialects.awx24_names",
    instances="awx_compat.dialects.awx24_instances",
    bundle="awx_compat.dialects.awx24_bundle",
    slashless_collections=frozenset(WITH_NAMED_URLS),
    has_pages_for_unknown_routes=True,
    origin_header="origin",
    not_found="No {model} matches the given query.",
    not_ascii="{name} is not an allowed field name. Must be ascii encodable.",
    takes_empty_page=True,
    repeats_format=True,
    options_of_fields={"hidden": False},
    type_of_bundles="text/html; charset=utf-8",
    disposition_of_bundles="attachment; filename={name}",
    auditors_fetch_bundles=True,
    shows_auditors=False,
    identifies_users=True,
    numbers_system_roles=False,
)
