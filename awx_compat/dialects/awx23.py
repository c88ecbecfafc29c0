"""AWX 23.6.0."""

from awx_compat.dialects.base import Dialect

COLLECTIONS = (
    "ping",
    "instances",
    "instance_groups",
    "config",
    "settings",
    "me",
    "dashboard",
    "organizations",
    "users",
    "tokens",
    "metrics",
    "roles",
    "unified_jobs",
    "workflow_approvals",
    "mesh_visualizer",
)

DIALECT = Dialect(
    version="23.6.0",
    collections={name: name for name in COLLECTIONS},
    routes=("awx_compat.dialects.awx23_urls",),
    names="awx_compat.dialects.awx23_names",
    instances="awx_compat.dialects.awx23_instances",
    bundle="awx_compat.dialects.awx23_bundle",
    slashless_collections=frozenset(),
    has_pages_for_unknown_routes=False,
    origin_header="Origin",
    not_found="Not found.",
    not_ascii="{name!r} is not an allowed field name. Must be ascii encodable.",
    takes_empty_page=False,
    repeats_format=False,
    options_of_fields={},
    type_of_bundles="application/gzip",
    disposition_of_bundles='attachment; filename="{name}"',
    auditors_fetch_bundles=False,
    shows_auditors=True,
    identifies_users=False,
    numbers_system_roles=True,
)
