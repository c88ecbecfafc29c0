"""The configuration of the service, and the entry points: bodies that are not of records."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from awx_compat import paths
from awx_compat.awx_settings import ALL, CATEGORIES
from awx_compat.serializers.common import PageSerializer, PathField

FIELDS: dict[str, Any] = {
    "boolean": serializers.BooleanField,
    "choice": serializers.CharField,
    "integer": serializers.IntegerField,
    "list": serializers.ListField,
    "nested object": serializers.DictField,
    "string": serializers.CharField,
}  # of the kinds of settings


def category(slug: str) -> dict[str, str]:
    """The body of a category of settings."""
    return {"url": paths.record("settings", slug), "slug": slug, "name": CATEGORIES[slug].name}


class ApiRootSerializer(serializers.Serializer[Any]):
    """The first answer that AWX's web interface reads."""

    description = serializers.CharField(help_text="AWX's name of its API.")
    current_version = PathField(help_text="Path of the newest version.")
    available_versions = serializers.DictField(child=PathField(), help_text="Paths of all versions.")
    oauth2 = PathField(help_text="Path of the OAuth2 endpoints.")
    custom_logo = serializers.CharField(help_text="Always empty: no custom logo.")
    custom_login_info = serializers.CharField(help_text="Always empty: no text for the login page.")
    login_redirect_override = serializers.CharField(help_text="Always empty: users log in at `/api/login/`.")


class OAuthRootSerializer(serializers.Serializer[Any]):
    """The OAuth2 endpoints."""

    authorize = PathField(help_text="Path at which a user authorizes an application.")
    token = PathField(help_text="Path at which an application gets a token.")
    revoke_token = PathField(help_text="Path at which a token is revoked.")


class ServiceIndexSerializer(serializers.Serializer[Any]):
    """What the service shares with others of the same installation: itself alone."""

    metadata = PathField(help_text="Path of the service's id.")


class ServiceMetadataSerializer(serializers.Serializer[Any]):
    """The service, as others name it."""

    service_id = serializers.UUIDField(help_text="The `INSTALL_UUID`, from which the `ansible_id` of users follow.")
    service_type = serializers.CharField(help_text="`awx`.")


class LicenceSerializer(serializers.Serializer[Any]):
    """The licence of AWX and of this service, which are open source."""

    license_type = serializers.CharField(help_text="`open`.")
    valid_key = serializers.BooleanField(help_text="Always true.")
    subscription_name = serializers.CharField(help_text="`OPEN`.")
    product_name = serializers.CharField(help_text="`AWX`.")


class ConfigSerializer(serializers.Serializer[Any]):
    """The configuration of the service."""

    time_zone = serializers.CharField(help_text="`UTC`.")
    license_info = LicenceSerializer(help_text="The licence.")
    version = serializers.CharField(help_text="The version of AWX with which this service is compatible.")
    eula = serializers.CharField(help_text="Always empty: no licence agreement is needed.")
    analytics_status = serializers.CharField(help_text="`off`: no analytics are collected.")
    analytics_collectors = serializers.DictField(help_text="Always empty.")
    become_methods = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Always empty: this service starts no jobs.",
    )


class SettingsSerializer(serializers.Serializer[Any]):
    """The settings of a category, by name: those that this service has, and more that AWX has."""

    # For the document alone: ``Category.values()`` makes the body.

    class Meta:
        has_further_fields = True

    def get_fields(self) -> dict[str, Any]:
        own = {name: setting for name, setting in ALL.settings.items() if setting.source is not None}
        return {
            name: FIELDS[setting.kind](required=False, help_text=setting.help_text) for name, setting in own.items()
        }


class SettingCategorySerializer(serializers.Serializer[Any]):
    """A category of settings."""

    url = PathField(help_text="Path of the category's settings.")
    slug = serializers.CharField(help_text="The category's key in the path.")
    name = serializers.CharField(help_text="The category's display name.")


class SettingCategoryPageSerializer(PageSerializer):
    """The categories that the user may read."""

    results = SettingCategorySerializer(many=True, help_text="The categories.")


class SumSerializer(serializers.Serializer[Any]):
    """The number of records of a kind."""

    url = PathField(help_text="Path of the list.")
    total = serializers.IntegerField(help_text="Number of records that the user may see.")


class SumOfNothingSerializer(SumSerializer):
    """Numbers of records that AWX stores and this service does not: always 0."""

    failed = serializers.IntegerField(help_text="Always 0.")
    job_failed = serializers.IntegerField(help_text="Always 0.")
    inventory_failed = serializers.IntegerField(help_text="Always 0.")


class DashboardSerializer(serializers.Serializer[Any]):
    """Counts for the first page of a web interface."""

    inventories = SumOfNothingSerializer(help_text="Inventories: always 0.")
    hosts = SumOfNothingSerializer(help_text="Hosts: always 0.")
    projects = SumOfNothingSerializer(help_text="Projects: always 0.")
    groups = SumOfNothingSerializer(help_text="Groups of hosts: always 0.")
    organizations = SumOfNothingSerializer(help_text="Organizations: always 0.")
    teams = SumOfNothingSerializer(help_text="Teams: always 0.")
    credentials = SumOfNothingSerializer(help_text="Credentials: always 0.")
    job_templates = SumOfNothingSerializer(help_text="Job templates: always 0.")
    users = SumSerializer(help_text="The users.")


def dashboard(users: int) -> dict[str, Any]:
    """The body of the dashboard, with the number of users, and 0 for records that this service does not store."""
    zeros = {"total": 0, "failed": 0, "job_failed": 0, "inventory_failed": 0}
    names: Any = DashboardSerializer().fields
    body = {name: {"url": paths.collection(name), **zeros} for name in names}
    return {**body, "users": {"url": paths.collection("users"), "total": users}}


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
)
class SeriesField(serializers.Field[Any, Any, Any, Any]):
    """Pairs of a day, in seconds since 1970-01-01 UTC, and a number."""

    def to_representation(self, pairs: list[Any]) -> list[Any]:
        return pairs


class JobSeriesSerializer(serializers.Serializer[Any]):
    """Numbers of jobs by day, as pairs of the day, in seconds since 1970-01-01 UTC, and the number."""

    successful = SeriesField(help_text="Jobs that succeeded.")
    failed = SeriesField(help_text="Jobs that failed.")


@extend_schema_serializer(component_name="ErrorOfQuery")
class RefusedQuerySerializer(serializers.Serializer[Any]):
    """The error in the query."""

    error = serializers.CharField(help_text="The error message.")


class JobGraphSerializer(serializers.Serializer[Any]):
    """The numbers of finished jobs by day."""

    jobs = JobSeriesSerializer(help_text="Jobs that succeeded and jobs that failed.")


# For the document alone: ``without_families()`` of ``exposition.py`` makes the body.


class SampleSerializer(serializers.Serializer[Any]):
    """One value of a metric."""

    labels = serializers.DictField(child=serializers.CharField(), help_text="Labels of the value.")
    value = serializers.FloatField(help_text="The value.")


class MetricSerializer(serializers.Serializer[Any]):
    """A metric and its values."""

    help_text = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="Prometheus' help text of the metric."
    )
    type = serializers.CharField(help_text="`gauge`.")
    samples = SampleSerializer(many=True, help_text="The values of the metric.")


class MetricsSerializer(serializers.Serializer[Any]):
    """Metrics by their names."""

    child = MetricSerializer
