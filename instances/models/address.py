from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor

from instances.models.fields import NameField
from instances.querysets import ReceptorAddressQuerySet
from instances.text import visible

HIGHEST_PORT = 65535
LONGEST_ADDRESS = 255


class ReceptorAddress(models.Model):
    """An address at which a node's Receptor is dialled. Source: docs/awx-behaviour.md, "Receptor addresses".

    AWX 24 stores any number as a port. AWX 23 knows one address of each node, its canonical one, and calls its port the
    node's listener_port. Only there a link may lead to a node that has no port; the address that it leads to has none.
    """

    class Protocol(models.TextChoices):
        TCP = "tcp", "TCP"
        WS = "ws", "WS"
        WSS = "wss", "WSS"

    address = NameField(
        max_length=LONGEST_ADDRESS, help_text="Routable address for this instance.", verbose_name="address"
    )
    port = models.IntegerField(
        null=True,
        blank=True,
        default=27199,
        help_text="Port for the address.",
    )
    protocol = models.CharField(
        max_length=10,
        choices=Protocol,
        default=Protocol.TCP,
        help_text="Protocol to use for the Receptor listener, 'tcp', 'wss', or 'ws'.",
    )
    websocket_path = models.CharField(max_length=255, blank=True, default="", help_text="Websocket path.")
    is_internal = models.BooleanField(default=False, help_text="If True, only routable within the Kubernetes cluster.")
    canonical = models.BooleanField(
        default=False, help_text="If True, this address is the canonical address for the instance."
    )
    peers_from_control_nodes = models.BooleanField(
        default=False, help_text="If True, control plane cluster nodes should automatically peer to it."
    )
    instance = models.ForeignKey("instances.Instance", on_delete=models.CASCADE, related_name="receptor_addresses")

    objects = ReceptorAddressQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "receptor addresses"
        constraints = [
            models.UniqueConstraint(fields=["address"], name="unique_receptor_address"),
            models.UniqueConstraint(
                fields=["instance"], condition=Q(canonical=True), name="instance_has_one_canonical_address"
            ),
            models.CheckConstraint(condition=~Q(address=""), name="receptor_address_is_not_empty"),
        ]

    def __str__(self) -> str:
        return visible(self.full_address)

    @property
    def remarks(self) -> list[str]:
        """What distinguishes it from other addresses of the node, in words, unless its full address shows it."""
        applies = {
            f"path /{self.websocket_path}": self.websocket_path and self.protocol == self.Protocol.WSS,
            "canonical": self.canonical,
            "internal": self.is_internal,
            "control nodes connect to it": self.peers_from_control_nodes,
        }
        return [remark for remark, is_so in applies.items() if is_so]

    @property
    def full_address(self) -> str:
        return full_address(self.address, self.port, self.protocol, self.websocket_path)


def full_address(address: str, port: int | None, protocol: str, path: str) -> str:
    """As AWX 24.6.1 writes it: scheme and path for protocol ws only, no port where that is 0 or unknown."""
    is_websocket = protocol == ReceptorAddress.Protocol.WS
    scheme = "wss://" if is_websocket else ""
    after = f":{port}" if port else ""
    return f"{scheme}{address}{after}/{path}" if is_websocket and path else f"{scheme}{address}{after}"


class OneOrNone(ForwardManyToOneDescriptor):  # type: ignore[type-arg] # at run time it takes none
    """The related record; None where there is none."""

    def get_object(self, instance: Any) -> Any:
        try:
            return super().get_object(instance)
        except ReceptorAddress.DoesNotExist:
            return None


class CanonicalAddress(models.ForeignObject):  # type: ignore[type-arg] # at run time it takes none
    """The canonical address of an instance, as a relation to one record that queries can follow. It has no column."""

    forward_related_accessor_class = OneOrNone
    requires_unique_target = False  # a partial constraint sees to it

    def __init__(self) -> None:
        super().__init__(
            ReceptorAddress,
            on_delete=models.DO_NOTHING,
            from_fields=["id"],
            to_fields=["instance"],
            null=True,
            blank=True,
            editable=False,
            related_name="+",
        )

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = True, **options: Any) -> None:
        super().contribute_to_class(cls, name, private_only=private_only, **options)

    def get_extra_restriction(self, alias: Any, related_alias: Any) -> Any:
        canonical = ReceptorAddress._meta.get_field("canonical")
        return canonical.get_lookup("exact")(canonical.get_col(alias), True)  # type: ignore[misc]

    def get_extra_descriptor_filter(self, instance: Any) -> Any:
        return {"canonical": True}
