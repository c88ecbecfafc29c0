"""Instances and links of AWX 23.6.0: an instance has a port of its own, and its peers are instances."""

from typing import Any

from rest_framework import serializers

from awx_compat.serializers.common import PathField
from awx_compat.serializers.fields import BooleanField, HostnamesField
from awx_compat.serializers.instance import COMMON_FIELDS, InstanceSerializer, InstanceSerializers
from instances.addresses import addresses_of
from instances.models import Instance, InstanceLink
from instances.models.address import HIGHEST_PORT


class EndsOfLinkSerializer(serializers.Serializer[Any]):
    """The nodes that a link connects."""

    source_instance = PathField(help_text="Path of the node that opens the link.")
    target_instance = PathField(help_text="Path of the node that listens.")


class LinkSerializer(serializers.ModelSerializer[InstanceLink]):
    """A link of the mesh, from the node that opens it to the node that listens."""

    url = serializers.CharField(allow_blank=True, help_text="Always empty.")
    related = EndsOfLinkSerializer(help_text="Paths of both nodes.")
    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The hostname of the node that opens the link."
    )
    target = serializers.CharField(help_text="The hostname of the node that listens.")

    class Meta:
        model = InstanceLink
        fields = ("id", "url", "related", "source", "target", "link_state")


class ListeningInstanceSerializer(InstanceSerializer):
    related_names = ("jobs", "instance_groups", "install_bundle", "peers", "health_check")

    listener_port = serializers.IntegerField(
        allow_null=True,
        default=None,
        min_value=0,
        max_value=HIGHEST_PORT,
        help_text="Port that Receptor will listen for incoming connections on.",
    )
    peers = HostnamesField(source="peer_hostnames", required=False)
    peers_from_control_nodes = BooleanField(
        default=False, help_text="If True, control plane cluster nodes should automatically peer to it."
    )

    class Meta(InstanceSerializer.Meta):
        descriptions = {
            **InstanceSerializer.Meta.descriptions,
            "peers": "Hostnames of the nodes that it opens links to.",
        }
        fields = (
            *COMMON_FIELDS,
            "ip_address",
            "listener_port",
            "peers",
            "peers_from_control_nodes",
        )

    @staticmethod
    def with_peers(instances: Any) -> Any:
        return instances.with_peers()

    @staticmethod
    def with_links(instances: Any) -> Any:
        return instances.with_links()

    @staticmethod
    def link_body(link: dict[str, Any], source: Instance) -> dict[str, Any]:
        return {
            "id": link["id"],
            "url": "",
            "related": {
                "source_instance": InstanceSerializer.url_of(source.pk),
                "target_instance": InstanceSerializer.url_of(link["target_id"]),
            },
            "source": source.hostname,
            "target": link["target"],
            "link_state": link["link_state"],
        }

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if "peer_hostnames" in values:
            values["peers"] = addresses_of(self.instance, values.pop("peer_hostnames"))
        return super().validate(values)


# For the API document: what differs in an example of an instance, and a link that starts there.
EXAMPLE = {"peers": ["hop-1.example.org"]}
EXAMPLE_OF_LINK = {
    "id": 17,
    "url": "",
    "related": {"source_instance": "/api/v2/instances/5/", "target_instance": "/api/v2/instances/11/"},
    "source": "exec-1.example.org",
    "target": "hop-1.example.org",
    "link_state": "established",
}

SERIALIZERS = InstanceSerializers.of(ListeningInstanceSerializer)
LINK_SERIALIZER = LinkSerializer
