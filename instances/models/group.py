from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from instances import capacity
from instances.capacity import Load
from instances.models.fields import NameField, Timestamped, VerbatimJSONField
from instances.models.instance import Instance
from instances.querysets import InstanceGroupQuerySet
from instances.text import visible

CONTROL_PLANE = "controlplane"
DEFAULT = "default"  # where jobs run whose groups nobody chose
PROTECTED = (CONTROL_PLANE, DEFAULT)


class InstanceGroup(Timestamped):
    """Instances that jobs are sent to together, or the place of containers that run jobs.

    ``credential`` is the id of a credential that is not stored here; ``credential_summary`` is its summary in AWX.
    Source: docs/awx-behaviour.md, "Instance groups".
    """

    name = NameField(
        max_length=250,
        unique=True,
        help_text="Name of this instance group.",
        error_messages={"unique": "Instance group with this Name already exists."},
    )
    instances = models.ManyToManyField("instances.Instance", related_name="rampart_groups", blank=True)
    is_container_group = models.BooleanField(
        default=False,
        help_text=(
            "Indicates whether instances in this group are containerized."
            "Containerized groups have a designated Openshift or Kubernetes cluster."
        ),
    )
    credential = models.BigIntegerField(null=True, blank=True)
    credential_summary = VerbatimJSONField(null=True, blank=True, editable=False)
    pod_spec_override = models.TextField(blank=True, default="")
    max_concurrent_jobs = models.IntegerField(
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Maximum number of concurrent jobs to run on a group. When set to zero, no maximum is enforced.",
    )
    max_forks = models.IntegerField(
        default=0,
        validators=[MinValueValidator(0)],
        help_text=(
            "Maximum number of forks to execute concurrently on a group. When set to zero, no maximum is enforced."
        ),
    )
    policy_instance_percentage = models.IntegerField(
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=(
            "Minimum percentage of all instances that will be automatically assigned to this group "
            "when new instances come online."
        ),
    )
    policy_instance_minimum = models.IntegerField(
        default=0,
        validators=[MinValueValidator(0)],
        help_text=(
            "Static minimum number of Instances that will be automatically assign to this group "
            "when new instances come online."
        ),
    )
    policy_instance_list = models.JSONField(
        default=list,
        blank=True,
        help_text="List of exact-match Instances that will be assigned to this group",
    )

    # What the queryset's methods annotate.
    member_hostnames: list[str]
    members_capacity: int
    own_load: Load
    members: int
    capacity_in_service: int
    load_in_service: Load
    is_administered: bool
    is_visible: bool

    objects = InstanceGroupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="group_has_a_name"),
            models.CheckConstraint(
                condition=Q(policy_instance_percentage__range=(0, 100)), name="group_percentage_in_range"
            ),
            models.CheckConstraint(condition=Q(policy_instance_minimum__gte=0), name="group_minimum_not_negative"),
            models.CheckConstraint(
                condition=Q(max_concurrent_jobs__gte=0, max_forks__gte=0), name="group_limits_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return visible(self.name)

    @property
    def is_protected(self) -> bool:
        """Whether the group is one of AWX's own, which keep their names and cannot be deleted."""
        return self.name in PROTECTED

    @property
    def capacity(self) -> int:
        return self.max_forks if self.is_container_group else self.capacity_in_service

    @property
    def consumed_capacity(self) -> int:
        if self.is_container_group:
            return self.own_load.impact
        return capacity.consumed(Instance.NodeType.HYBRID, self.load_in_service)

    @property
    def percent_capacity_remaining(self) -> float:
        """In percent, to two places; negative where more is consumed than there is."""
        return capacity.percent_free(self.capacity, self.consumed_capacity)

    @property
    def jobs_running(self) -> int:
        return (self.own_load if self.is_container_group else self.load_in_service).jobs_running

    @property
    def jobs_total(self) -> int:
        return self.own_load.jobs_total


class InstanceGroupRole(models.Model):
    """A user's right on one instance group. Each of them makes the group and its instances visible."""

    class Role(models.TextChoices):
        ADMIN = "admin_role", "Admin"
        USE = "use_role", "Use"
        READ = "read_role", "Read"

    user = models.ForeignKey("instances.User", on_delete=models.CASCADE, related_name="instance_group_roles")
    instance_group = models.ForeignKey(InstanceGroup, on_delete=models.CASCADE, related_name="user_roles")
    role = models.CharField(max_length=16, choices=Role)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "instance_group", "role"], name="role_is_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} of {self.instance_group}"
