"""Collections of AWX that this service does not store: empty lists in AWX's format."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from awx_compat import dialects
from awx_compat.declared_metadata import options_of_collection
from awx_compat.exceptions import message_of_missing
from awx_compat.not_stored import BY_ROUTE, Collection
from awx_compat.serializers.common import EmptyPageSerializer, only_page
from awx_compat.views.base import ApiView, not_implemented


@extend_schema(tags=["not stored"])
@extend_schema(methods=["GET"], responses=EmptyPageSerializer)
class EmptyList(ApiView):
    title: str = "Empty List"

    def get(self, request: Request, **kwargs: Any) -> Response:
        return Response(only_page([]))


class NotStored(EmptyList):
    """AWX has a list here. This service stores no such records, so it is empty, whatever is searched for."""

    collection: Any = None  # a Collection: the route has it

    def get_view_name(self) -> str:
        return str(self.collection.title)

    def declared_options(self) -> dict[str, Any]:
        return options_of_collection(self.collection, dialects.current())


@extend_schema(methods=["POST"], summary="Create a record")
class NotCreated(NotStored):
    """AWX has a list here, and creates records by POST. This service stores none of them: the list is empty."""

    post = not_implemented


class MissingRecord(ApiView):
    """A record of a collection that is not stored, and all below it: nobody finds it, by any method."""

    title = "Not Found"
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound(message_of_missing(BY_ROUTE[kwargs["collection"]].model))


def view_of(collection: Collection) -> Any:
    """The view of the collection's list."""
    view = NotCreated if collection.is_created else NotStored
    return view.as_view(collection=collection)
