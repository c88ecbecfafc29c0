"""Instances, links and addresses of AWX 24.6.1: peers are receptor addresses, and the canonical one has the port."""

from typing import Any

from rest_framework import serializers

from awx_compat.serializers.address import ReceptorAddressSerializer
from awx_compat.serializers.common import PathField
from awx_compat.serializers.fields import AddressesField, IdsField
from awx_compat.serializers.instance import COMMON_FIELDS, InstanceSerializer, InstanceSerializers
from instances.models import Instance, InstanceLink
from instances.models.address import full_address


class EndsOfAddressedLinkSerializer(serializers.Serializer[Any]):
    """What a link connects."""

    source_instance = PathField(help_text="Path of the node that opens the link.")
    target_address = PathField(help_text="Path of the address that it dials.")


class AddressedLinkSerializer(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to an address of the node that listens."""

    related = EndsOfAddressedLinkSerializer(help_text="Paths of the node and of the address.")
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that has the address.")
    target_full_address = serializers.CharField(help_text="The address that it dials.")

    class Meta:
        model = InstanceLink
        fields = ("id", "related", "source", "target", "target_full_address", "link_state")


class AddressedInstanceSerializer(InstanceSerializer):
    related_names = ("receptor_addresses", "jobs", "peers", "instance_groups", "install_bundle", "health_check")

    peers = AddressesField(
        source="peer_ids", required=False, help_text="Primary keys of receptor addresses to peer to."
    )
    reverse_peers = IdsField(source="reverse_peer_ids")
    listener_port = serializers.IntegerField(required=False, allow_null=True)
    peers_from_control_nodes = serializers.BooleanField(required=False)
    protocol = serializers.ReadOnlyField()

    class Meta(InstanceSerializer.Meta):
        descriptions = {
            **InstanceSerializer.Meta.descriptions,
            "reverse_peers": "Ids of the nodes that open links to it, once for each link, by hostname.",
            "listener_port": "Port of its canonical address; null where it has none.",
            "peers_from_control_nodes": "Whether the control plane opens links to its canonical address.",
            "protocol": "Protocol of its canonical address; empty where it has none.",
        }
        fields = (
            *COMMON_FIELDS,
            "managed",
            "ip_address",
            "peers",
            "reverse_peers",
            "listener_port",
            "peers_from_control_nodes",
            "protocol",
        )

    @staticmethod
    def with_peers(instances: Any) -> Any:
        return instances.with_addresses()

    @staticmethod
    def with_links(instances: Any) -> Any:
        return instances.with_addressed_links()

    @staticmethod
    def link_body(link: dict[str, Any], source: Instance) -> dict[str, Any]:
        return {
            "id": link["id"],
            "related": {
                "source_instance": InstanceSerializer.url_of(source.pk),
                "target_address": ReceptorAddressSerializer.url_of(link["address_id"]),
            },
            "source": source.hostname,
            "target": link["target"],
            "target_full_address": full_address(*(link[name] for name in ("address", "port", "protocol", "path"))),
            "link_state": link["link_state"],
        }

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if "peer_ids" in values:
            values["peers"] = values.pop("peer_ids")
        return values

    def validate_peers(self, peers: list[Any]) -> Any:
        return self.checked("peers", peers)


# For the API document: what differs in an example of an instance, and a link that starts there.
EXAMPLE = {"peers": [30], "reverse_peers": [1, 2], "protocol": ""}
EXAMPLE_OF_LINK = {
    "id": 17,
    "related": {"source_instance": "/api/v2/instances/5/", "target_address": "/api/v2/receptor_addresses/30/"},
    "source": "exec-1.example.org",
    "target": "hop-1.example.org",
    "target_full_address": "hop-1.example.org:27199",
    "link_state": "established",
}

SERIALIZERS = InstanceSerializers.of(AddressedInstanceSerializer)
LINK_SERIALIZER = AddressedLinkSerializer
