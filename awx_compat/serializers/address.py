from rest_framework import serializers

from awx_compat import paths
from awx_compat.serializers.base import CompiledSerializer, IdField, UrlField
from awx_compat.serializers.fields import FIELDS_OF_COLUMNS, ChoiceField
from instances.models import ReceptorAddress
from instances.models.address import HIGHEST_PORT


class ReceptorAddressSerializer(CompiledSerializer):
    """An address at which a node is dialled."""

    record_type = "receptor_address"
    collection = "receptor_addresses"
    serializer_field_mapping = FIELDS_OF_COLUMNS
    serializer_choice_field = ChoiceField

    url = UrlField()
    port = serializers.IntegerField(
        read_only=True, min_value=0, max_value=HIGHEST_PORT, help_text="Port for the address."
    )
    instance = IdField(source="instance_id", read_only=True)
    full_address = serializers.ReadOnlyField()

    class Meta:
        model = ReceptorAddress
        fields = (
            "id",
            "url",
            "address",
            "port",
            "protocol",
            "websocket_path",
            "is_internal",
            "canonical",
            "instance",
            "peers_from_control_nodes",
            "full_address",
        )
        read_only_fields = fields
        description = "An address at which a node is dialled."
        descriptions = {
            "instance": "Id of the node that has the address.",
            "full_address": "As links show it: with its port, and of protocol ws with scheme and path.",
        }

    @classmethod
    def url_of(cls, pk: object) -> str:
        return paths.record(cls.collection, pk)

    def get_url(self, address: ReceptorAddress) -> str:
        return self.url_of(address.pk)
