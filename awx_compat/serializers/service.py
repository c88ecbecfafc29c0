"""How the service is set up, and the entry points: bodies that are not of records."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.common import PageSerializer, PathField

CATEGORIES = {"all": "All", "system": "System"}  # of settings


def category(slug: str) -> dict[str, str]:
    """The body of a category of settings."""
    return {"url": paths.record("settings", slug), "slug": slug, "name": CATEGORIES[slug]}


class ApiRootSerializer(serializers.Serializer[Any]):
    """What AWX's web interface asks for first."""

    description = serializers.CharField(help_text="What AWX calls its API.")
    current_version = PathField(help_text="Path of the newest version.")
    available_versions = serializers.DictField(child=PathField(), help_text="Paths of all versions.")
    oauth2 = PathField(help_text="Where OAuth2 clients go.")
    custom_logo = serializers.CharField(help_text="Empty: there is none.")
    custom_login_info = serializers.CharField(help_text="Empty: there is none.")
    login_redirect_override = serializers.CharField(help_text="Empty: who logs in goes to `/api/login/`.")


class OAuthRootSerializer(serializers.Serializer[Any]):
    """Where OAuth2 clients go."""

    authorize = PathField(help_text="Where a user allows an application to act for them.")
    token = PathField(help_text="Where an application gets a token.")
    revoke_token = PathField(help_text="Where a token ends to be valid.")


class LicenceSerializer(serializers.Serializer[Any]):
    """AWX is open, and so is this."""

    license_type = serializers.CharField(help_text="`open`.")
    valid_key = serializers.BooleanField(help_text="Always true.")
    subscription_name = serializers.CharField(help_text="`OPEN`.")
    product_name = serializers.CharField(help_text="`AWX`.")


class ConfigSerializer(serializers.Serializer[Any]):
    """How the service is set up."""

    time_zone = serializers.CharField(help_text="`UTC`.")
    license_info = LicenceSerializer(help_text="The licence.")
    version = serializers.CharField(help_text="The version of AWX that is answered as.")
    eula = serializers.CharField(help_text="Empty: there is none.")
    analytics_status = serializers.CharField(help_text="`off`: nothing is collected.")
    analytics_collectors = serializers.DictField(help_text="Nothing.")
    become_methods = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Nothing: no jobs are started here."
    )


class SystemSettingsSerializer(serializers.Serializer[Any]):
    """What clients ask of the settings; each is of the same name in the environment."""

    IS_K8S = serializers.BooleanField(read_only=True, help_text="Whether instances can be made and removed here.")
    INSTALL_UUID = serializers.CharField(read_only=True, help_text="What tells this installation from others.")
    AWX_CONTROL_NODE_TASK_IMPACT = serializers.IntegerField(
        read_only=True, help_text="The capacity that a job takes of the node that controls it."
    )


class SettingCategorySerializer(serializers.Serializer[Any]):
    """A category of settings."""

    url = PathField(help_text="Path of its settings.")
    slug = serializers.CharField(help_text="Its key in that path.")
    name = serializers.CharField(help_text="Its name for people.")


class SettingCategoryPageSerializer(PageSerializer):
    """The categories that the user may read."""

    results = SettingCategorySerializer(many=True, help_text="The categories.")


class SumSerializer(serializers.Serializer[Any]):
    """How many records of a kind there are."""

    url = PathField(help_text="Path of their list.")
    total = serializers.IntegerField(help_text="How many the user who asks may see.")


class SumOfNothingSerializer(SumSerializer):
    """What AWX counts and this service does not keep: always 0."""

    failed = serializers.IntegerField(help_text="0.")
    job_failed = serializers.IntegerField(help_text="0.")
    inventory_failed = serializers.IntegerField(help_text="0.")


class DashboardSerializer(serializers.Serializer[Any]):
    """Counts for the first page of a web interface."""

    inventories = SumOfNothingSerializer(help_text="None.")
    hosts = SumOfNothingSerializer(help_text="None.")
    projects = SumOfNothingSerializer(help_text="None.")
    groups = SumOfNothingSerializer(help_text="None: these would be groups of hosts.")
    organizations = SumOfNothingSerializer(help_text="None.")
    teams = SumOfNothingSerializer(help_text="None.")
    credentials = SumOfNothingSerializer(help_text="None.")
    job_templates = SumOfNothingSerializer(help_text="None.")
    users = SumSerializer(help_text="The users.")


def dashboard(users: int) -> dict[str, Any]:
    """The body of the dashboard, of the number of users; of what is not kept there are none."""
    zeros = {"total": 0, "failed": 0, "job_failed": 0, "inventory_failed": 0}
    names: Any = DashboardSerializer().fields
    body = {name: {"url": paths.collection(name), **zeros} for name in names}
    return {**body, "users": {"url": paths.collection("users"), "total": users}}


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
)
class SeriesField(serializers.Field[Any, Any, Any, Any]):
    """Pairs of a day, in seconds since 1970, and a number."""

    def to_representation(self, pairs: list[Any]) -> list[Any]:
        return pairs


class JobSeriesSerializer(serializers.Serializer[Any]):
    """Numbers of jobs by day, as pairs of the day, in seconds since 1970, and the number."""

    successful = SeriesField(help_text="Jobs that ended well.")
    failed = SeriesField(help_text="Jobs that failed.")


@extend_schema_serializer(component_name="ErrorOfQuery")
class RefusedQuerySerializer(serializers.Serializer[Any]):
    """Why the query was refused."""

    error = serializers.CharField(help_text="The reason, in words.")


class JobGraphSerializer(serializers.Serializer[Any]):
    """The jobs that ended, by day."""

    jobs = JobSeriesSerializer(help_text="Those that ended well and those that failed.")


# For the document alone: ``as_json()`` of ``metrics.py`` makes the body.


class SampleSerializer(serializers.Serializer[Any]):
    """One value of a metric."""

    labels = serializers.DictField(child=serializers.CharField(), help_text="What it is the value of.")
    value = serializers.FloatField(help_text="The value.")


class MetricSerializer(serializers.Serializer[Any]):
    """A metric and its values."""

    help_text = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="What it measures, as Prometheus tells it."
    )
    type = serializers.CharField(help_text="`gauge`.")
    samples = SampleSerializer(many=True, help_text="Its values.")


class MetricsSerializer(serializers.Serializer[Any]):
    """Metrics by their names."""

    child = MetricSerializer
