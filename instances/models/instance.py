from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from instances import capacity
from instances.capacity import Explanation, Load
from instances.models.address import CanonicalAddress, ReceptorAddress
from instances.models.fields import NameField, Severity, SeverityChoices, Timestamped
from instances.models.link import InstanceLink
from instances.querysets import InstanceQuerySet
from instances.text import visible

NO_UUID = "00000000-0000-0000-0000-000000000000"


class Instance(Timestamped):
    """A node of the automation mesh.

    The figures that depend on jobs and links are annotations: read an instance through ``with_load()``,
    ``with_peers()``, ``with_addresses()`` and ``with_links()`` to have them.
    Source: docs/awx-behaviour.md, "Fields of an instance".
    """

    class NodeType(models.TextChoices):
        CONTROL = "control", "Control plane node"
        EXECUTION = "execution", "Execution plane node"
        HYBRID = "hybrid", "Controller and execution"
        HOP = "hop", "Message-passing node, no execution capability"

    class NodeState(SeverityChoices):
        PROVISIONING = "provisioning", "Provisioning"
        PROVISION_FAIL = "provision-fail", "Provisioning Failure"
        INSTALLED = "installed", "Installed"
        READY = "ready", "Ready"
        UNAVAILABLE = "unavailable", "Unavailable"
        DEPROVISIONING = "deprovisioning", "De-provisioning"
        DEPROVISION_FAIL = "deprovision-fail", "De-provisioning Failure"

        @property
        def sentence(self) -> str:
            """What the state means, for an operator."""
            sentences = {
                self.PROVISIONING: "It is being set up and is given no jobs yet.",
                self.PROVISION_FAIL: "It could not be set up.",
                self.INSTALLED: "It was registered. Its first health check that passes makes it ready.",
                self.READY: "It was seen working.",
                self.UNAVAILABLE: "It was lost or has errors. Until it is well again it is given no jobs.",
                self.DEPROVISIONING: "It is being removed: it is given no jobs, and goes when its own have ended.",
                self.DEPROVISION_FAIL: "It could not be removed.",
            }
            return sentences.get(self, f"Its state is “{self.label}”.")

        @property
        def severity(self) -> Severity:
            severities = {
                self.PROVISIONING: Severity.QUIET,
                self.INSTALLED: Severity.QUIET,
                self.READY: Severity.GOOD,
                self.DEPROVISIONING: Severity.UNSURE,
            }
            return severities.get(self, Severity.BAD)

    hostname = NameField(max_length=250, unique=True, error_messages={"unique": "This field must be unique."})
    uuid = models.CharField(max_length=40, default=NO_UUID)
    ip_address = models.CharField(max_length=50, blank=True, default="")
    version = models.CharField(max_length=120, blank=True, default="")
    node_type = models.CharField(
        max_length=16,
        choices=NodeType,
        default=NodeType.HYBRID,
        help_text="Role that this node plays in the mesh.",
    )
    node_state = models.CharField(
        max_length=16,
        choices=NodeState,
        default=NodeState.READY,
        help_text="Indicates the current life cycle stage of this instance.",
    )
    last_seen = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=(
            "Last time instance ran its heartbeat task for main cluster nodes. "
            "Last known connection to receptor mesh for execution nodes."
        ),
    )
    health_check_started = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="The last time a health check was initiated on this instance.",
    )
    last_health_check = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Last time a health check was ran on this instance to refresh cpu, memory, and capacity.",
    )
    errors = models.TextField(
        blank=True, default="", editable=False, help_text="Any error details from the last health check."
    )
    cpu = models.DecimalField(
        max_digits=4, decimal_places=1, default=0, validators=[MinValueValidator(0)], editable=False
    )
    memory = models.BigIntegerField(
        default=0,
        validators=[MinValueValidator(0)],
        editable=False,
        help_text="Total system memory of this instance in bytes.",
    )
    cpu_capacity = models.IntegerField(default=0, editable=False)
    mem_capacity = models.IntegerField(default=0, editable=False)
    capacity = models.PositiveIntegerField(default=100, editable=False)
    capacity_adjustment = models.DecimalField(
        max_digits=3, decimal_places=2, default=1, validators=[MinValueValidator(0)]
    )
    enabled = models.BooleanField(default=True)
    managed_by_policy = models.BooleanField(default=True)
    managed = models.BooleanField(
        default=False, editable=False, help_text="If True, this instance is managed by the control plane."
    )
    peers = models.ManyToManyField(
        ReceptorAddress, through=InstanceLink, through_fields=("source", "target"), related_name="peers_from"
    )
    canonical_address = CanonicalAddress()

    objects = InstanceQuerySet.as_manager()

    # What the queryset's methods annotate.
    load: Load
    is_draining: bool
    is_mirrored: bool
    is_up: bool
    is_visible: bool
    peer_hostnames: list[str]
    peer_ids: list[int]
    reverse_peer_ids: list[int]
    outgoing_links: list[dict[str, Any]]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ip_address"], condition=~Q(ip_address=""), name="instance_ip_address_is_unique"
            ),
            models.CheckConstraint(condition=~Q(hostname=""), name="instance_has_a_hostname"),
            models.CheckConstraint(
                condition=Q(capacity_adjustment__gte=0), name="instance_capacity_adjustment_not_negative"
            ),
            models.CheckConstraint(condition=Q(cpu__gte=0), name="instance_cpu_not_negative"),
            models.CheckConstraint(condition=Q(memory__gte=0), name="instance_memory_not_negative"),
        ]

    def __str__(self) -> str:
        return visible(self.hostname)

    @property
    def listener_port(self) -> int | None:
        """The port of the canonical address; None without one."""
        return self.canonical_address.port if self.canonical_address else None

    @property
    def protocol(self) -> str:
        """That of the canonical address; "" without one."""
        return self.canonical_address.protocol if self.canonical_address else ""

    @property
    def is_installable(self) -> bool:
        """Whether an install bundle sets it up: an execution or hop node that the control plane does not manage."""
        return not self.managed and self.node_type in (self.NodeType.EXECUTION, self.NodeType.HOP)

    @property
    def peers_from_control_nodes(self) -> bool:
        """Whether control and hybrid nodes peer to the canonical address."""
        return self.canonical_address is not None and self.canonical_address.peers_from_control_nodes

    def set_canonical_address(self, address: ReceptorAddress | None) -> None:
        """Keep in memory which address is the canonical one from now on."""
        canonical: Any = self._meta.get_field("canonical_address")
        canonical.set_cached_value(self, address)

    @property
    def state_sentence(self) -> str:
        """What the node's state means; of one that only a newer AWX knows, its name."""
        if self.node_state in self.NodeState:
            return self.NodeState(self.node_state).sentence
        return f"Its state is “{self.node_state}”, which is not known here."

    @property
    def controls(self) -> bool:
        """Whether AWX itself runs on this node."""
        return self.node_type in capacity.CONTROLLING

    @property
    def counts(self) -> bool:
        """Whether the node can be given work: it is enabled and no hop node."""
        return self.enabled and self.node_type != self.NodeType.HOP

    @property
    def exact_capacity(self) -> Decimal:
        """The capacity that follows from the stored ones of CPUs and memory, before it is truncated."""
        if not self.counts:
            return Decimal(0)
        return capacity.between(self.cpu_capacity, self.mem_capacity, self.capacity_adjustment)

    def recompute_capacity(self) -> None:
        """Set ``capacity`` from the stored ones of CPUs and memory, whenever state, type or ``enabled`` changes.

        A new node keeps the default until then. Source: docs/awx-behaviour.md, "Capacity".
        """
        self.capacity = int(self.exact_capacity)

    @property
    def capacity_explained(self) -> Explanation:
        return capacity.explained(
            cpu=self.cpu,
            memory=self.memory,
            cpu_forks=self.cpu_capacity,
            mem_forks=self.mem_capacity,
            adjustment=self.capacity_adjustment,
            counts=self.counts,
            stored=self.capacity,
        )

    @property
    def consumed_capacity(self) -> int:
        return capacity.consumed(self.node_type, self.load)

    @property
    def percent_capacity_remaining(self) -> float:
        return capacity.percent_remaining(self.capacity, self.consumed_capacity)

    @property
    def percent_used(self) -> float:
        return capacity.percent_used(self.capacity, self.consumed_capacity)

    @property
    def health_check_pending(self) -> bool:
        """Whether a health check was started and has not reported yet."""
        if self.health_check_started is None:
            return False
        return self.last_health_check is None or self.health_check_started > self.last_health_check
