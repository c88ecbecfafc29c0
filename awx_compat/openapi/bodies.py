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

    detail = serializers.CharField()


class Message(serializers.Serializer[Any]):
    msg = serializers.CharField()


class UnfinishedJob(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    type = serializers.CharField()


class InUse(serializers.Serializer[Any]):
    """The jobs that keep a group from being deleted."""

    error = serializers.CharField()
    active_jobs = UnfinishedJob(many=True)


class ErrorOfQuery(serializers.Serializer[Any]):
    error = serializers.CharField()


# --- pages without a paginator


class Page(serializers.Serializer[Any]):
    count = serializers.IntegerField(min_value=0)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class EmptyPage(Page):
    """A list of what AWX keeps and this service does not."""

    results = serializers.ListField(child=serializers.DictField(), max_length=0)


class SettingCategory(serializers.Serializer[Any]):
    url = UrlField()
    slug = serializers.CharField()
    name = serializers.CharField()


class SettingCategoryPage(Page):
    results = SettingCategory(many=True)


# --- parts of records


class InstanceCapabilities(serializers.Serializer[Any]):
    edit = serializers.BooleanField(help_text="False for everybody, as in AWX, although superusers may change it.")


class Capabilities(serializers.Serializer[Any]):
    """What the user who asks may do with the record."""

    edit = serializers.BooleanField()
    delete = serializers.BooleanField()


class EndsOfLink(serializers.Serializer[Any]):
    source_instance = UrlField()
    target_instance = UrlField()


class Link(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to the node that listens."""

    url = serializers.CharField(allow_blank=True, help_text="Always empty.")
    related = EndsOfLink()
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that listens.")

    class Meta:
        model = InstanceLink
        fields = ("id", "url", "related", "source", "target", "link_state")


class InstanceSummary(serializers.Serializer[Any]):
    user_capabilities = InstanceCapabilities()
    links = Link(many=True, required=False, help_text="The links that start at it; not told by `/api/v2/instances/`.")


class Role(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()


class RolesOfGroup(serializers.Serializer[Any]):
    """The roles that a user can hold on the group."""

    admin_role = Role()
    use_role = Role()
    read_role = Role()


class InstanceGroupSummary(serializers.Serializer[Any]):
    credential = serializers.DictField(required=False, help_text="What is known of the container group's credential.")
    object_roles = RolesOfGroup()
    user_capabilities = Capabilities()


class UserSummary(serializers.Serializer[Any]):
    user_capabilities = Capabilities()


class HeldRole(Role):
    resource_name = serializers.CharField(required=False)
    resource_type = serializers.CharField(required=False)
    related = serializers.DictField(child=UrlField(), required=False)
    user_capabilities = serializers.DictField(child=serializers.BooleanField())


class Access(serializers.Serializer[Any]):
    role = HeldRole()
    descendant_roles = serializers.ListField(child=serializers.ChoiceField(list(INCLUDED_ROLES)))


class AccessSummary(UserSummary):
    direct_access = Access(many=True, help_text="Roles that the user holds on the group.")
    indirect_access = Access(many=True, help_text="Roles that superusers and auditors have on all groups.")


class Owner(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()


class TokenSummary(serializers.Serializer[Any]):
    user = Owner()


class ResourceOfRole(serializers.Serializer[Any]):
    resource_name = serializers.CharField()
    resource_type = serializers.CharField()
    resource_type_display_name = serializers.CharField()
    resource_id = serializers.IntegerField()


class GroupRole(Role):
    """A role on one group, as a record."""

    type = serializers.CharField()
    url = UrlField()
    related = serializers.DictField(child=UrlField())
    summary_fields = ResourceOfRole()


class GroupRolePage(Page):
    results = GroupRole(many=True)


# --- requests


class Membership(serializers.Serializer[Any]):
    """Which record is put into the list, or taken out of it."""

    id = serializers.IntegerField(min_value=1, help_text="The id of the record.")
    disassociate = serializers.BooleanField(default=False, help_text="Whether to take it out.")


# --- the mesh


class MeshNode(serializers.ModelSerializer[Instance]):
    class Meta:
        model = Instance
        fields = ("id", "hostname", "node_type", "node_state", "enabled")


class MeshDrawing(serializers.Serializer[Any]):
    """All nodes and all links."""

    nodes = MeshNode(many=True)
    links = Link(many=True)


# --- the service


class ApiRoot(serializers.Serializer[Any]):
    description = serializers.CharField()
    current_version = UrlField()
    available_versions = serializers.DictField(child=UrlField())
    oauth2 = UrlField()
    custom_logo = serializers.CharField()
    custom_login_info = serializers.CharField()
    login_redirect_override = serializers.CharField()


class OAuthRoot(serializers.Serializer[Any]):
    authorize = UrlField()
    token = UrlField()
    revoke_token = UrlField()


class PingNode(serializers.ModelSerializer[Instance]):
    node = serializers.CharField(help_text="The hostname.")
    heartbeat = serializers.DateTimeField(allow_null=True, help_text="When it was last seen.")

    class Meta:
        model = Instance
        fields = ("node", "node_type", "uuid", "heartbeat", "capacity", "version")


class PingGroup(serializers.Serializer[Any]):
    name = serializers.CharField()
    capacity = serializers.IntegerField(help_text="Of all its members, whatever their state.")
    instances = serializers.ListField(child=serializers.CharField(), help_text="Hostnames.")


class Ping(serializers.Serializer[Any]):
    ha = serializers.BooleanField(help_text="Whether more than one node controls.")
    version = serializers.CharField()
    active_node = serializers.CharField(help_text="The node that answers.")
    install_uuid = serializers.CharField()
    instances = PingNode(many=True, help_text="All nodes but hop nodes.")
    instance_groups = PingGroup(many=True)


class Licence(serializers.Serializer[Any]):
    license_type = serializers.CharField()
    valid_key = serializers.BooleanField()
    subscription_name = serializers.CharField()
    product_name = serializers.CharField()


class Config(serializers.Serializer[Any]):
    time_zone = serializers.CharField()
    license_info = Licence()
    version = serializers.CharField()
    eula = serializers.CharField()
    analytics_status = serializers.CharField()
    analytics_collectors = serializers.DictField()
    become_methods = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class Sum(serializers.Serializer[Any]):
    url = UrlField()
    total = serializers.IntegerField()


class SumOfNothing(Sum):
    failed = serializers.IntegerField()
    job_failed = serializers.IntegerField()
    inventory_failed = serializers.IntegerField()


class Dashboard(serializers.Serializer[Any]):
    inventories = SumOfNothing()
    hosts = SumOfNothing()
    projects = SumOfNothing()
    groups = SumOfNothing()
    organizations = SumOfNothing()
    teams = SumOfNothing()
    credentials = SumOfNothing()
    job_templates = SumOfNothing()
    users = Sum()


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
)
class SeriesField(serializers.Field[Any, Any, Any, Any]):
    """Pairs of a day, in seconds since 1970, and a number."""


class JobSeries(serializers.Serializer[Any]):
    successful = SeriesField()
    failed = SeriesField()


class JobGraph(serializers.Serializer[Any]):
    jobs = JobSeries()


# --- metrics


class Sample(serializers.Serializer[Any]):
    labels = serializers.DictField(child=serializers.CharField())
    value = serializers.FloatField()


class Metric(serializers.Serializer[Any]):
    help_text = serializers.CharField()  # type: ignore[assignment] # likewise
    type = serializers.CharField()
    samples = Sample(many=True)


class Metrics(serializers.Serializer[Any]):
    """Metrics by their names."""


class MetricsByName(OpenApiSerializerExtension):
    target_class = Metrics

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": auto_schema.resolve_serializer(Metric, direction).ref}


ROLE_NAMES = InstanceGroupRole.Role.values
