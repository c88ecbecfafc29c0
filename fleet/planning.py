"""What an operator asks before a change, over the API; ``instances.planning`` has the answers."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import ApiView, IsSuperuserOrAuditor
from fleet import openapi
from instances.planning import risk


def hostnames(help_text: str) -> Any:
    return serializers.ListField(child=serializers.CharField(), help_text=help_text)


class CutSerializer(serializers.Serializer[Any]):
    """What a loss cuts off from every control and hybrid node."""

    cuts_off = hostnames("The nodes that it cuts off, by hostname.")
    capacity = serializers.IntegerField(help_text="Their capacity in forks.")
    share = serializers.FloatField(help_text="Their share of the mesh's capacity, from 0 to 1.")
    jobs_running = serializers.IntegerField(help_text="Their jobs that are running or waiting.")


class NodeCutSerializer(CutSerializer):
    """A node whose loss cuts off others."""

    hostname = serializers.CharField(help_text="The node.")


class EndsSerializer(serializers.Serializer[Any]):
    """A link."""

    source = serializers.CharField(  # type: ignore[assignment] # DRF takes the fields out of the class
        help_text="The node that opens it."
    )
    target = serializers.CharField(help_text="The node that listens.")


class LinkCutSerializer(EndsSerializer, CutSerializer):
    """A link whose loss cuts off nodes."""


class RemedySerializer(serializers.Serializer[Any]):
    """Links after which no single loss cuts off a node."""

    links = EndsSerializer(many=True, help_text="The links to add.")
    unrepaired = hostnames("The nodes that hang by one thread even then, as on the only control node.")


class RiskSerializer(serializers.Serializer[Any]):
    """Where the mesh would break. Links count in both directions, and not while they are being removed."""

    nodes = NodeCutSerializer(many=True, help_text="The nodes whose loss cuts off others, the most harmful first.")
    links = LinkCutSerializer(many=True, help_text="The links whose loss cuts off nodes, the most harmful first.")
    unreachable = hostnames("The nodes that can reach no control or hybrid node even now.")
    single_path = hostnames("The nodes that the loss of one other node, or of one link, cuts off.")
    longest_ways = serializers.ListField(
        child=hostnames("A shortest way, from a control node on."), help_text="The ways to the farthest nodes."
    )
    remedy = RemedySerializer(help_text="What would repair it.")


class MeshRisk(ApiView):
    """The nodes and links whose loss would cut off others from the control plane, and links that would repair it."""

    title = "Mesh Risk"
    permission_classes = [IsSuperuserOrAuditor]

    @extend_schema(
        responses=RiskSerializer,
        summary="Where the mesh would break",
        examples=openapi.response_example(openapi.RISK),
    )
    def get(self, request: Request) -> Response:
        return Response(RiskSerializer(risk.of_mesh()).data)
