"""What a change of the mesh would do, over the API; ``instances.planning.what_if`` has the answer."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as RefusedError
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.bases import ApiView
from fleet import openapi
from fleet.planning import EndsSerializer, hostnames
from fleet.serializers import BytesField, CoresField, TextField
from instances.health.report import is_number
from instances.models import Instance
from instances.planning import what_if
from instances.planning.changes import MOST_NODES, Change, NewNode
from instances.planning.windows import MOST_JOBS

LONGEST_NAME = 250
LONGEST_WINDOW = 100
MOST_MINIMUM = 2**31 - 1
ADJUSTMENT = {"type": "number", "minimum": 0, "maximum": 1}


class StrictSerializer(serializers.Serializer[Any]):
    """A body in which no other fields may be."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(data.keys() - self.fields.keys()) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: ["Unknown field."] for name in unknown})
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    """An integer. Texts, fractions, true and false are not converted to one."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


def names(help_text: str) -> Any:
    child = TextField(max_length=LONGEST_NAME)
    return serializers.ListField(child=child, required=False, max_length=MOST_NODES, help_text=help_text)


class NewNodeSerializer(StrictSerializer):
    """A node that would be added."""

    hostname = TextField(required=False, max_length=LONGEST_NAME, help_text="Its hostname; by default one as `new-1`.")
    cpu = CoresField(help_text="Number of CPUs.")
    memory = BytesField(help_text="Memory in bytes.")
    node_type = serializers.ChoiceField(
        choices=Instance.NodeType.choices, default=Instance.NodeType.EXECUTION, help_text="Its role in the mesh."
    )
    groups = names("Names of the groups that it would be put into by hand; policies may put it into others.")


class NewPolicySerializer(StrictSerializer):
    """Policies of a group; those that are left out stay as they are."""

    policy_instance_minimum = WholeNumberField(
        required=False, min_value=0, max_value=MOST_MINIMUM, help_text="Members that it has at least."
    )
    policy_instance_percentage = WholeNumberField(
        required=False, min_value=0, max_value=100, help_text="Percentage of the nodes that it has at least."
    )
    policy_instance_list = names("Hostnames of the nodes that are members in any case.")


@extend_schema_field({"oneOf": [ADJUSTMENT, {"type": "object", "additionalProperties": ADJUSTMENT}]})
class AdjustmentField(serializers.Field[Any, Any, Any, Any]):
    """A capacity adjustment for all nodes, or an object with one for each of some nodes."""

    default_error_messages = {"invalid": "Must be a number from 0 to 1, or an object with such a number by hostname."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            return {hostname: self.number(value) for hostname, value in data.items()}
        return self.number(data)

    def number(self, value: Any) -> Decimal:
        if isinstance(value, bool) or (value != 0 and not is_number(value, 1)):
            self.fail("invalid")
        return Decimal(str(value)).quantize(Decimal("0.01"))


class ChangeSerializer(StrictSerializer):
    """A change of the mesh that is only thought of."""

    remove = names("Hostnames of nodes that would be removed.")
    disable = names("Hostnames of nodes that would be disabled.")
    add = serializers.ListField(
        child=NewNodeSerializer(), required=False, max_length=MOST_NODES, help_text="Nodes that would be added."
    )
    capacity_adjustment = AdjustmentField(required=False, help_text="For all nodes, or by hostname.")
    policies = serializers.DictField(
        child=NewPolicySerializer(), required=False, help_text="New policies, by the name of the group."
    )
    over = TextField(
        required=False,
        max_length=LONGEST_WINDOW,
        help_text=(
            "A time that is past, whose load is compared too: `7d`, `12h` or `30m` until now, or two times in ISO 8601 "
            f"with `/` between them. At most {MOST_JOBS:,} jobs may have run in it, and all of them must be stored."
        ),
    )

    def change(self) -> Change:
        """The validated data as a change. Call ``is_valid()`` first."""
        values = {name: value for name, value in self.validated_data.items() if name != "over"}
        return Change(**{**values, "add": [NewNode(**node) for node in values.get("add", ())]})


class LoadOfWindowSerializer(serializers.Serializer[Any]):
    """The load over the window, in forks."""

    p50 = serializers.IntegerField(help_text="What was not exceeded for half of the time.")
    p95 = serializers.IntegerField(help_text="What was not exceeded for 95% of the time.")
    peak = serializers.IntegerField(help_text="The highest load.")
    over_capacity = serializers.FloatField(help_text="The share of the time above this capacity, from 0 to 1.")


class SideSerializer(serializers.Serializer[Any]):
    """A group, or the whole fleet, before the change or after it. Capacity and load are in forks."""

    members = hostnames("The nodes, in any state.")
    capacity = serializers.IntegerField(help_text="Of the nodes in service.")
    consumed = serializers.IntegerField(help_text="The load of now on the nodes in service.")
    displaced = serializers.IntegerField(
        help_text="The load of now on nodes that the change removes or disables, which has to run elsewhere."
    )
    remaining = serializers.IntegerField(help_text="The capacity without both; negative where it does not suffice.")
    load = LoadOfWindowSerializer(allow_null=True, help_text="The load over the window; null without one.")


class SidesSerializer(serializers.Serializer[Any]):
    """Both sides."""

    before = SideSerializer(help_text="As it is.")
    after = SideSerializer(help_text="After the change, once the policies have followed.")
    falls_short = serializers.BooleanField(
        help_text="Whether the change leaves less capacity than the load now or at its peak, by more than before."
    )


class SidesOfGroupSerializer(SidesSerializer):
    """Both sides of a group."""

    name = serializers.CharField(help_text="The group.")


class CutOffSerializer(serializers.Serializer[Any]):
    """What the change would cut off from every control and hybrid node."""

    nodes = hostnames("The nodes, but for those that are cut off already.")
    links = EndsSerializer(many=True, help_text="The links between them.")


class PastLoadSerializer(serializers.Serializer[Any]):
    """The window."""

    began = serializers.DateTimeField(help_text="Its beginning.")
    ended = serializers.DateTimeField(help_text="Its end.")
    jobs = serializers.IntegerField(help_text="Jobs that ran in it.")


class WhatIfSerializer(serializers.Serializer[Any]):
    """What the change would do. Nothing was changed."""

    carries = serializers.BooleanField(
        help_text="Whether the capacity of no group, nor the fleet's, falls short by it, and nothing is cut off."
    )
    in_words = serializers.ListField(
        child=serializers.CharField(), help_text="The answer in sentences, the worst first."
    )
    fleet = SidesSerializer(help_text="All nodes.")
    groups = SidesOfGroupSerializer(many=True, help_text="The groups by name, but for container groups.")
    added = hostnames("The added nodes.")
    cut_off = CutOffSerializer(
        allow_null=True, help_text="What would be cut off; null for those who do not see the whole mesh."
    )
    window = PastLoadSerializer(allow_null=True, help_text="The window; null without one.")


class WhatIfView(ApiView):
    """POST a change that is only thought of: the answer is what groups and fleet would be after it. Nothing is changed.

    Everybody plans with the nodes and groups that they see.
    """

    title = "What If"

    @extend_schema(
        operation_id="fleet_what_if_create",
        request=ChangeSerializer,
        responses={200: WhatIfSerializer},
        summary="What a change of the mesh would do",
        examples=[*openapi.request_examples(openapi.CHANGES), *openapi.response_example(openapi.WHAT_IF)],
    )
    def post(self, request: Request) -> Response:
        body = ChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            found = what_if.what_if(self.reader, body.change(), body.validated_data.get("over", ""))
        except RefusedError as error:
            raise serializers.ValidationError(errors_by_field(error)) from None
        return Response(WhatIfSerializer(found).data)


def errors_by_field(error: RefusedError) -> dict[str, list[str]]:
    """The messages by the field of the body that they are about."""
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
