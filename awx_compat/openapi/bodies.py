"""The shapes of bodies that views and serializers make as plain objects. For the document alone: nothing is parsed
or told by these classes, and ``tests/test_openapi.py`` compares recorded answers with them.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instances.models import Instance, InstanceGroupRole, InstanceLink
from instances.querysets import INCLUDED_ROLES

# A path on this service. No URI reference: names stand in it as they are, with their spaces.
URL = {"type": "string"}
FIELD_ERRORS = {
    "type": "object",
    "description": "By field, why it is refused; for a list, by the index of what is wrong in it.",
    "additionalProperties": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]},
}


@extend_schema_field(URL)
class UrlField(serializers.CharField):
    """A path on this service."""


# --- refusals


class Error(serializers.Serializer[Any]):
    """Why the request was refused."""

    detail = serializers.CharField(help_text="The reason, in words.")


class Message(serializers.Serializer[Any]):
    """What became of the request."""

    msg = serializers.CharField(help_text="The same, in words.")


class UnfinishedJob(serializers.Serializer[Any]):
    """A job that has not ended."""

    id = serializers.IntegerField(help_text="Its id.")
    type = serializers.CharField(help_text="What kind of job it is.")


class InUse(serializers.Serializer[Any]):
    """The jobs that keep a group from being deleted."""

    error = serializers.CharField(help_text="The reason, in words.")
    active_jobs = UnfinishedJob(many=True, help_text="The jobs.")


class ErrorOfQuery(serializers.Serializer[Any]):
    """Why the query was refused."""

    error = serializers.CharField(help_text="The reason, in words.")


# --- pages without a paginator


class Page(serializers.Serializer[Any]):
    """A page of a list."""

    count = serializers.IntegerField(min_value=0, help_text="Records on all pages.")
    next = serializers.CharField(allow_null=True, help_text="Path of the next page; null on the last.")
    previous = serializers.CharField(allow_null=True, help_text="Path of the page before; null on the first.")


class EmptyPage(Page):
    """A list of what AWX keeps and this service does not."""

    results = serializers.ListField(child=serializers.DictField(), max_length=0, help_text="Nothing.")


class SettingCategory(serializers.Serializer[Any]):
    """A category of settings."""

    url = UrlField(help_text="Path of its settings.")
    slug = serializers.CharField(help_text="Its key in that path.")
    name = serializers.CharField(help_text="Its name for people.")


class SettingCategoryPage(Page):
    """The categories that the user may read."""

    results = SettingCategory(many=True, help_text="The categories.")


# --- parts of records


class InstanceCapabilities(serializers.Serializer[Any]):
    """What AWX says that the user may do with an instance."""

    edit = serializers.BooleanField(help_text="False for everybody, as in AWX, although superusers may change it.")


class Capabilities(serializers.Serializer[Any]):
    """What the user who asks may do with the record."""

    edit = serializers.BooleanField(help_text="Whether to change it.")
    delete = serializers.BooleanField(help_text="Whether to delete it.")


class EndsOfLink(serializers.Serializer[Any]):
    """The nodes that a link connects."""

    source_instance = UrlField(help_text="Path of the node that opens the link.")
    target_instance = UrlField(help_text="Path of the node that listens.")


class Link(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to the node that listens."""

    url = serializers.CharField(allow_blank=True, help_text="Always empty.")
    related = EndsOfLink(help_text="Paths of both nodes.")
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that listens.")

    class Meta:
        model = InstanceLink
        fields = ("id", "url", "related", "source", "target", "link_state")


class InstanceSummary(serializers.Serializer[Any]):
    """What else is known around an instance."""

    user_capabilities = InstanceCapabilities(help_text="What AWX says that the user who asks may do with it.")
    links = Link(many=True, required=False, help_text="The links that start at it; not told by `/api/v2/instances/`.")


class Role(serializers.Serializer[Any]):
    """A role that a user can hold."""

    id = serializers.IntegerField(help_text="Id of the role.")
    name = serializers.CharField(help_text="Name of the role.")
    description = serializers.CharField(help_text="What who holds it may do.")


class RolesOfGroup(serializers.Serializer[Any]):
    """The roles that a user can hold on the group."""

    admin_role = Role(help_text="The role that includes all others.")
    use_role = Role(help_text="The role to send jobs to the group.")
    read_role = Role(help_text="The role to see the group, which every role includes.")


class InstanceGroupSummary(serializers.Serializer[Any]):
    """What else is known around a group."""

    credential = serializers.DictField(required=False, help_text="What is known of the container group's credential.")
    object_roles = RolesOfGroup(help_text="The roles that a user can hold on the group.")
    user_capabilities = Capabilities(help_text="What the user who asks may do with the group.")


class UserSummary(serializers.Serializer[Any]):
    """What else is known around a user."""

    user_capabilities = Capabilities(help_text="What the user who asks may do with this one.")


class HeldRole(Role):
    """A role that a user holds, on a group or on everything."""

    resource_name = serializers.CharField(required=False, help_text="Name of the group.")
    resource_type = serializers.CharField(required=False, help_text="`instance_group`.")
    related = serializers.DictField(child=UrlField(), required=False, help_text="Path of the group.")
    user_capabilities = serializers.DictField(
        child=serializers.BooleanField(), help_text="Whether the user who asks may take the role away (`unattach`)."
    )


class Access(serializers.Serializer[Any]):
    """Why a user may see a group."""

    role = HeldRole(help_text="The role that the user holds.")
    descendant_roles = serializers.ListField(
        child=serializers.ChoiceField(list(INCLUDED_ROLES)), help_text="The roles on the group that it includes."
    )


class AccessSummary(serializers.Serializer[Any]):
    """What else is known around a user who may see a group."""

    direct_access = Access(many=True, help_text="Roles that the user holds on the group.")
    indirect_access = Access(many=True, help_text="Roles that superusers and auditors have on all groups.")


class Owner(serializers.Serializer[Any]):
    """The user whose token it is."""

    id = serializers.IntegerField(help_text="Id of the user.")
    username = serializers.CharField(help_text="Name to log in with.")
    first_name = serializers.CharField(help_text="First name.")
    last_name = serializers.CharField(help_text="Last name.")


class TokenSummary(serializers.Serializer[Any]):
    """What else is known around a token."""

    user = Owner(help_text="The user whose token it is.")


class ResourceOfRole(serializers.Serializer[Any]):
    """What a role is on."""

    resource_name = serializers.CharField(help_text="Name of the group.")
    resource_type = serializers.CharField(help_text="`instance_group`.")
    resource_type_display_name = serializers.CharField(help_text="The same for people.")
    resource_id = serializers.IntegerField(help_text="Id of the group.")


class GroupRole(Role):
    """A role on one group, as a record."""

    type = serializers.CharField(help_text="`role`.")
    url = UrlField(help_text="Path of the role in AWX; this service has none there.")
    related = serializers.DictField(child=UrlField(), help_text="Paths of the group and, in AWX, of who holds it.")
    summary_fields = ResourceOfRole(help_text="What the role is on.")


class GroupRolePage(Page):
    """The roles of a group."""

    results = GroupRole(many=True, help_text="The roles.")


# --- requests


class Membership(serializers.Serializer[Any]):
    """Which record is put into the list, or taken out of it."""

    id = serializers.IntegerField(min_value=1, help_text="The id of the record.")
    disassociate = serializers.BooleanField(default=False, help_text="Whether to take it out.")


# --- the mesh


class MeshNode(serializers.ModelSerializer[Instance]):
    """A node as a drawing of the mesh shows it."""

    class Meta:
        model = Instance
        fields = ("id", "hostname", "node_type", "node_state", "enabled")


class MeshDrawing(serializers.Serializer[Any]):
    """All nodes and all links."""

    nodes = MeshNode(many=True, help_text="The nodes, by hostname.")
    links = Link(many=True, help_text="The links, by id.")


# --- the service


class ApiRoot(serializers.Serializer[Any]):
    """What AWX's web interface asks for first."""

    description = serializers.CharField(help_text="What AWX calls its API.")
    current_version = UrlField(help_text="Path of the newest version.")
    available_versions = serializers.DictField(child=UrlField(), help_text="Paths of all versions.")
    oauth2 = UrlField(help_text="Where OAuth2 clients go.")
    custom_logo = serializers.CharField(help_text="Empty: there is none.")
    custom_login_info = serializers.CharField(help_text="Empty: there is none.")
    login_redirect_override = serializers.CharField(help_text="Empty: who logs in goes to `/api/login/`.")


class OAuthRoot(serializers.Serializer[Any]):
    """Where OAuth2 clients go."""

    authorize = UrlField(help_text="Where a user allows an application to act for them.")
    token = UrlField(help_text="Where an application gets a token.")
    revoke_token = UrlField(help_text="Where a token ends to be valid.")


class PingNode(serializers.ModelSerializer[Instance]):
    """A node, for monitoring."""

    node = serializers.CharField(help_text="The hostname.")
    heartbeat = serializers.DateTimeField(allow_null=True, help_text="When it was last seen.")

    class Meta:
        model = Instance
        fields = ("node", "node_type", "uuid", "heartbeat", "capacity", "version")


class PingGroup(serializers.Serializer[Any]):
    """A group, for monitoring."""

    name = serializers.CharField(help_text="Name of the group.")
    capacity = serializers.IntegerField(help_text="Of all its members, whatever their state.")
    instances = serializers.ListField(child=serializers.CharField(), help_text="Hostnames.")


class Ping(serializers.Serializer[Any]):
    """This service, its nodes and its groups."""

    ha = serializers.BooleanField(help_text="Whether more than one node controls.")
    version = serializers.CharField(help_text="The version of AWX that is answered as.")
    active_node = serializers.CharField(help_text="The node that answers.")
    install_uuid = serializers.CharField(help_text="UUID of the installation.")
    instances = PingNode(many=True, help_text="All nodes but hop nodes.")
    instance_groups = PingGroup(many=True, help_text="All groups.")


class Licence(serializers.Serializer[Any]):
    """AWX is open, and so is this."""

    license_type = serializers.CharField(help_text="`open`.")
    valid_key = serializers.BooleanField(help_text="Always true.")
    subscription_name = serializers.CharField(help_text="`OPEN`.")
    product_name = serializers.CharField(help_text="`AWX`.")


class Config(serializers.Serializer[Any]):
    """How the service is set up."""

    time_zone = serializers.CharField(help_text="`UTC`.")
    license_info = Licence(help_text="The licence.")
    version = serializers.CharField(help_text="The version of AWX that is answered as.")
    eula = serializers.CharField(help_text="Empty: there is none.")
    analytics_status = serializers.CharField(help_text="`off`: nothing is collected.")
    analytics_collectors = serializers.DictField(help_text="Nothing.")
    become_methods = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Nothing: no jobs are started here."
    )


class Sum(serializers.Serializer[Any]):
    """How many records of a kind there are."""

    url = UrlField(help_text="Path of their list.")
    total = serializers.IntegerField(help_text="How many the user who asks may see.")


class SumOfNothing(Sum):
    """What AWX counts and this service does not keep: always 0."""

    failed = serializers.IntegerField(help_text="0.")
    job_failed = serializers.IntegerField(help_text="0.")
    inventory_failed = serializers.IntegerField(help_text="0.")


class Dashboard(serializers.Serializer[Any]):
    """Counts for the first page of a web interface."""

    inventories = SumOfNothing(help_text="None.")
    hosts = SumOfNothing(help_text="None.")
    projects = SumOfNothing(help_text="None.")
    groups = SumOfNothing(help_text="None: these would be groups of hosts.")
    organizations = SumOfNothing(help_text="None.")
    teams = SumOfNothing(help_text="None.")
    credentials = SumOfNothing(help_text="None.")
    job_templates = SumOfNothing(help_text="None.")
    users = Sum(help_text="The users.")


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
)
class SeriesField(serializers.Field[Any, Any, Any, Any]):
    """Pairs of a day, in seconds since 1970, and a number."""


class JobSeries(serializers.Serializer[Any]):
    """Numbers of jobs by day, as pairs of the day, in seconds since 1970, and the number."""

    successful = SeriesField(help_text="Jobs that ended well.")
    failed = SeriesField(help_text="Jobs that failed.")


class JobGraph(serializers.Serializer[Any]):
    """The jobs that ended, by day."""

    jobs = JobSeries(help_text="Those that ended well and those that failed.")


# --- metrics


class Sample(serializers.Serializer[Any]):
    """One value of a metric."""

    labels = serializers.DictField(child=serializers.CharField(), help_text="What it is the value of.")
    value = serializers.FloatField(help_text="The value.")


class Metric(serializers.Serializer[Any]):
    """A metric and its values."""

    help_text = serializers.CharField(  # type: ignore[assignment] # likewise
        help_text="What it measures, as Prometheus tells it."
    )
    type = serializers.CharField(help_text="`gauge`.")
    samples = Sample(many=True, help_text="Its values.")


class Metrics(serializers.Serializer[Any]):
    """Metrics by their names."""


class MetricsByName(OpenApiSerializerExtension):
    target_class = Metrics

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": auto_schema.resolve_serializer(Metric, direction).ref}


ROLE_NAMES = InstanceGroupRole.Role.values
