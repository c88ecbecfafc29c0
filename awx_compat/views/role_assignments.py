"""AWX 24.6's role definitions and who holds them. They follow from the roles on groups and from the auditors."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat.exceptions import message_of_missing
from awx_compat.filters.limits import RESERVED
from awx_compat.openapi.parameters import TEXT
from awx_compat.serializers.common import only_page
from awx_compat.serializers.role_assignment import (
    DEFINITIONS,
    RoleDefinitionPageSerializer,
    RoleDefinitionSerializer,
    UserAssignmentSerializer,
)
from awx_compat.views.base import ApiView, id_in, not_implemented
from awx_compat.views.empty import EmptyList
from awx_compat.views.rows import NUMBER, RowList
from instances.assignments import assignments
from instances.listing import Listing

ROLES = {definition.id: role for role, definition in DEFINITIONS.items()}
COLUMNS = {"id": "number", "user": "holder", "object_id": "group", "role_definition": "held"}
FILTERS = [
    OpenApiParameter(name, NUMBER, description=f"Return only assignments with this `{name}`.") for name in COLUMNS
] + [OpenApiParameter("order_by", {"type": "string", "enum": ["id", "-id"]}, description="The order.")]


@extend_schema(methods=["POST"], summary="Define a role")
class RoleDefinitionList(ApiView):
    """The roles that users can hold. AWX has further ones, on records that this service does not store."""

    title = "Role Definition List"
    post = not_implemented

    @extend_schema(
        operation_id="role_definitions_list",
        parameters=[OpenApiParameter("name", TEXT, description="Return only the definition with this name.")],
        responses=RoleDefinitionPageSerializer,
        summary="The roles that users can hold",
    )
    def get(self, request: Request) -> Response:
        unknown = request.query_params.keys() - RESERVED - {"name"}
        if unknown:
            raise ParseError(f"RoleDefinition has no field named '{min(unknown)}' here.")
        names = request.query_params.getlist("name")
        definitions = sorted(DEFINITIONS.values(), key=lambda definition: definition.id)
        return Response(only_page([one.body for one in definitions if all(one.name == name for name in names)]))


class OfDefinition(ApiView):
    """A view of the role definition whose id is in the path."""

    @property
    def role(self) -> str:
        """The role that the definition stands for. Raises NotFound."""
        key = self.kwargs["key"]
        if key not in ROLES:
            raise NotFound(message_of_missing("RoleDefinition"))
        return ROLES[key]


class RoleDefinitionDetail(OfDefinition):
    title = "Role Definition Detail"

    @extend_schema(responses=RoleDefinitionSerializer, summary="One role that users can hold")
    def get(self, request: Request, key: int) -> Response:
        return Response(DEFINITIONS[self.role].body)


class UserAssignments(RowList):
    """Roles that users hold. Superusers and auditors see all of them, others their own."""

    title = "Role User Assignment List"
    serializer_class = UserAssignmentSerializer
    model_name = "RoleUserAssignment"
    columns = COLUMNS

    def get_listing(self) -> Listing:
        return assignments(self.reader, self.order(), self.conditions())

    def number(self, name: str, text: str) -> Any:
        number = super().number(name, text)
        return ROLES.get(number) if name == "role_definition" else number


@extend_schema(methods=["GET"], parameters=FILTERS, summary="The roles that users hold")
@extend_schema(methods=["POST"], summary="Assign a role to a user")
class UserAssignmentList(UserAssignments):
    """The roles that users hold. Superusers and auditors see all of them, others their own."""

    post = not_implemented


@extend_schema(methods=["GET"], parameters=FILTERS, summary="Who holds a role")
class UserAssignmentsOfDefinition(OfDefinition, UserAssignments):
    """Who holds the role. Superusers and auditors see all, others themselves."""

    def conditions(self) -> Q:
        return super().conditions() & Q(held=self.role)


class UserAssignmentDetail(ApiView):
    title = "Role User Assignment Detail"

    @extend_schema(responses=UserAssignmentSerializer, summary="One role that a user holds")
    def get(self, request: Request, key: int) -> Response:
        found = assignments(self.reader, "number", Q(number=id_in(str(key))))[0:1]
        if not found:
            raise NotFound(message_of_missing("RoleUserAssignment"))
        return Response(UserAssignmentSerializer().to_representation(found[0]))


@extend_schema(methods=["POST"], summary="Assign a role to a team")
class TeamAssignmentList(EmptyList):
    """The roles that teams hold: none, as there are no teams."""

    title = "Role Team Assignment List"
    post = not_implemented


class TeamAssignmentsOfDefinition(OfDefinition, EmptyList):
    """The teams that hold the role: none."""

    title = "Role Team Assignment List"

    def get(self, request: Request, **kwargs: Any) -> Response:
        self.role  # noqa: B018 - raises NotFound
        return super().get(request)
