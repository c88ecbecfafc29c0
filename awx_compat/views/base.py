"""What all views of the API share: AWX's headers, and looking up a record by its id or its name."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error, transaction
from rest_framework import status
from rest_framework.exceptions import NotAuthenticated, NotFound, PermissionDenied, UnsupportedMediaType
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request, override_method
from rest_framework.response import Response
from rest_framework.views import APIView

from awx_compat import dialects, etags, paths
from awx_compat.answer_cache import CacheDependencies
from awx_compat.exceptions import PLAIN, NotFoundByName, NotWritable, message_of_missing
from awx_compat.filters import may_be_slow
from awx_compat.parsers import BodyError
from awx_compat.turns import SLOW
from instances import database
from instances.listing import Listing, listing_of
from instances.models.fields import HIGHEST_ID
from instances.prepared import all_visible, record_with_visibility
from instances.reader import Reader
from instances.versions import Dependencies

Records = Callable[[Any], Any]  # of a reader


class ApiView(APIView):
    """A view whose answers carry AWX's headers: X-API-Product-Name and -Version, X-API-Node, X-API-Time."""

    title: str  # what AWX calls the view
    attaches = False  # whether POST associates an existing record with the one that the path names
    creates = True  # whether POST creates a record
    has_version_header = True
    record: Any = None  # that the path names, once it was read
    is_missing = False  # whether the path names a record that does not exist, or that the reader may not see
    modified: datetime | None = None  # when the rendered record was last changed
    # All rows that responses to GET and OPTIONS depend on; None where they depend on anything else as well.
    depends_on: Dependencies | None = None

    @classmethod
    def as_view(cls, **attributes: Any) -> Any:
        """The view of a route, with all that the current dialect chooses for its attributes."""
        return super().as_view(**dialects.chosen(cls), **attributes)

    def lookup(self) -> tuple[Records, str] | None:
        """The queryset (by reader) and the name field of the record in the path; None where the path has no record."""
        return None

    @cached_property
    def reader(self) -> Reader:
        """The requesting user, as visibility depends on it."""
        return Reader.of(self.request.user, sees_auditors=dialects.current().shows_auditors)

    @property
    def model_name(self) -> str:
        """AWX's name of the model of the record in the path, for messages."""
        return str(self.lookup()[0](self.reader).model.__name__)  # type: ignore[index]

    def is_by_name(self) -> bool:
        """Whether the path names the record by its name rather than by its id."""
        return self.lookup() is not None and not is_id(self.kwargs["key"])

    def get_record(self, lock: bool = False) -> Any:
        """The record that the path names by id or by name; with ``lock``, locked until the transaction ends.

        Raises, as AWX responds: NotFound for an id that does not exist, PermissionDenied for a record that the user
        does not see, and NotFoundByName for a name in either case.
        """
        records, name_field = self.lookup()  # type: ignore[misc]
        record = find(records, name_field, self.kwargs["key"], self.reader, lock)
        self.is_missing = record is None or not record.is_visible
        if not self.is_missing:
            self.record = record
            return record
        if record is not None:
            raise NotFoundByName if self.is_by_name() else PermissionDenied
        message = message_of_missing(self.model_name)
        raise NotFoundByName(message) if self.is_by_name() else NotFound(message)

    def get_permission_object(self) -> Any:
        """The record that object permissions are checked on; None where they depend on the user alone."""
        return None

    def get_permitted_object(self) -> Any:
        """The object of the permissions. Raises PermissionDenied where the user lacks that for the request's method."""
        record = self.get_permission_object()
        if record is not None:
            self.check_object_permissions(self.request, record)
        return record

    def has_permission_for(self, method: str) -> bool:
        """Whether the user may send ``method``; one that is not implemented is permitted to nobody."""
        with override_method(self, self.request, method) as request:
            try:
                self.check_permissions(request)
                self.get_permitted_object()
            except (NotAuthenticated, NotFound, PermissionDenied):
                return False
        return not self.is_not_implemented(method)

    def is_not_implemented(self, method: str) -> bool:
        """Whether ``method`` is one of AWX's that this service does not implement."""
        return getattr(type(self), method.lower()) is not_implemented

    def get_view_name(self) -> str:
        return self.title

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        self.started = time.perf_counter()
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except Error:
            # Rendering the error would authenticate, and fail, again.
            request.user, request.auth = AnonymousUser(), None
            raise

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {
            "Allow": ", ".join(self.allowed_methods),
            "Vary": "Accept",
            "X-API-Product-Name": "AWX",
            "X-API-Node": settings.CLUSTER_HOST_ID,
        }

    def check_permissions(self, request: Request) -> None:
        """Read the body first, as AWX does, and before any lock is taken that others would wait for meanwhile.

        The body of an anonymous request is not read, nor is it where only the permission for another method is checked.
        """
        if request.user.is_authenticated and request._request.method not in SAFE_METHODS:
            request.data  # noqa: B018 - parses the body
        super().check_permissions(request)

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, PermissionDenied) and self.is_by_name() and self.request.user.is_authenticated:
            error = NotFoundByName()  # nor does AWX reveal whether the name exists
        if isinstance(error, NotFound) and self.is_by_name():
            self.headers = {"Vary": "Accept"}
        self.has_version_header = not isinstance(error, BodyError | UnsupportedMediaType)  # as in AWX
        return super().handle_exception(error)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if "X-API-Product-Name" in response:
            if self.has_version_header and request.user.is_authenticated:
                response["X-API-Product-Version"] = settings.AWX_VERSION
            response["X-API-Time"] = f"{time.perf_counter() - self.started:.3f}s"
        if isinstance(response, Response):
            response.dependencies = self.dependencies(request, response)  # type: ignore[attr-defined]
            response.add_post_render_callback(self.break_reference_cycles)
        return response

    def dependencies(self, request: Request, response: Response) -> CacheDependencies | None:
        """What ``response`` depends on; None where that is not known, or credentials are no bearer token.

        Responses to a session renew its cookie, and a verified password is cached for a minute only.
        """
        token: Any = request.auth
        if self.depends_on is None or request.method not in SAFE_METHODS or response.status_code != status.HTTP_200_OK:
            return None
        if request.accepted_renderer.format == "api" or self.is_missing:
            return None
        if not self.authentication_classes:
            return CacheDependencies(self.depends_on, {})
        if token is None:
            return None
        params = {"token": token.pk, "reader": token.user_id, "record": self.record and self.record.pk}
        return CacheDependencies(self.depends_on, params, token.expires.timestamp())

    def break_reference_cycles(self, response: Response) -> None:
        """Let reference counting free the page at once: view, request and response refer to each other.

        Python's collector of cycles runs the later the fewer objects are made, and a page is large.
        """
        self.request.parser_context.clear()
        response.renderer_context.clear()  # type: ignore[attr-defined]
        vars(self).clear()


def not_implemented(view: ApiView, request: Request, **kwargs: Any) -> Response:
    """The handler of a method that AWX has and this service has not: answers 501."""
    raise NotWritable


class ListView(ApiView, ListAPIView[Any]):
    """A page of records."""

    search_fields: tuple[str, ...] = ()
    ordering: tuple[str, ...] = ()  # as AWX's view has it; few have one
    visible: Records | None = None  # the queryset of a reader, where it depends on the reader alone

    def address(self) -> str:
        """The path and query of this list, with the record's id in place of its name."""
        url = self.request.get_full_path()
        if not self.is_by_name():
            return url
        parts = urlsplit(url)
        above, _, below = parts.path.rstrip("/").rsplit("/", 2)
        return parts._replace(path=f"{above}/{self.record.pk}/{below}/").geturl()

    @property
    def is_plain(self) -> bool:
        """Whether the query has no filter, search or order."""
        return not self.request.query_params.keys() - PLAIN

    def get_queryset(self) -> Any:
        return self.visible(self.reader)  # type: ignore[misc]

    def get_listing(self) -> Listing:
        """The listing of the request; without filters it is a query that is compiled once for each kind of reader."""
        reader = self.reader
        if self.visible is None or reader.id is None or not self.is_plain:
            records = self.get_queryset()
            return listing_of(records, self.filter_queryset(records))
        return all_visible(reader.id, shape=(self.visible, reader.rank))

    @property
    def is_slow(self) -> bool:
        """Whether the query may be slow."""
        filterset: Any = getattr(self, "filterset_class", None)
        return filterset is not None and not self.is_plain and may_be_slow(filterset, self.request.query_params)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """A query that may be slow waits for its turn, and has a time limit."""
        if not self.is_slow:
            yield
            return
        self.depends_on = None  # the filters read other tables
        with SLOW.turn(), database.limit_statements(settings.STATEMENT_TIMEOUT):
            yield

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.turn():
            listing: Any = self.get_listing()
            page: Any = self.paginate_queryset(listing)
        render = self.get_serializer().to_representation  # a ListSerializer refers to itself, which delays its release
        return self.get_paginated_response([render(record) for record in page])

    def create(self, request: Request, serializer_class: Any) -> Response:
        """Create a record of the request's body, and render it with ``serializer_class``."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        record = self.get_queryset().get(pk=serializer.save().pk)
        data = serializer_class(record, context=self.get_serializer_context()).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Location": data["url"]})


class DetailView(ApiView, RetrieveAPIView[Any]):
    """One record, by the ``key`` in its path: an id, or a name in ``name_field``."""

    name_field: str

    @staticmethod
    def records(reader: Any) -> Any:
        """All records, with the annotations that ``reader`` gets of each."""
        raise NotImplementedError

    def get_queryset(self) -> Any:
        return self.records(self.reader)

    def lookup(self) -> tuple[Records, str] | None:
        return self.records, self.name_field

    def get_permission_object(self) -> Any:
        return self.get_record()

    def get_object(self) -> Any:
        return self.get_permitted_object()

    def get_locked_object(self) -> Any:
        """The record, locked until the transaction ends, so that what is checked now still holds when it is written.

        Permissions are checked before, so that users without them cannot make others wait.
        """
        self.get_object()
        record = self.get_record(lock=True)
        self.check_object_permissions(self.request, record)
        return record

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.get_record()
        return self.with_etag(request, Response(self.get_serializer(record).data), record)

    def change(self, request: Request, partial: bool = False) -> Response:
        """Change the record by the request's body, and render it as GET does."""
        with transaction.atomic():
            record = self.get_locked_object()
            etags.refuse_if_known(request, getattr(record, "modified", None))
            before = copy.copy(record)
            serializer = self.get_serializer(record, data=request.data, partial=partial)
            serializer.is_valid(raise_exception=True)
            etags.refuse_if_changed(request, getattr(record, "modified", None))
            serializer.save()
            changed = self.changed(before, record)
        return self.with_etag(request, Response(self.get_serializer(changed).data), changed)

    def with_etag(self, request: Request, response: Response, record: Any) -> Response:
        self.modified = modified = getattr(record, "modified", None)
        if modified is not None and request.accepted_renderer.format == "json":
            response.add_post_render_callback(lambda rendered: etags.conclude(request, rendered, modified))
        return response

    def changed(self, before: Any, record: Any) -> Any:
        """The record as the response to a change renders it; ``before`` is a copy from before the change."""
        return record


def is_id(key: str) -> bool:
    return key.isascii() and key.isdecimal()


def id_in(key: str) -> int:
    """The id in a path's segment; 0, which no record has, where it is no id or is too large for one."""
    return int(key) if is_id(key) and len(key) <= len(str(HIGHEST_ID)) else 0


def find(records: Records, name_field: str, key: str, reader: Reader, lock: bool = False) -> Any:
    """The record with this ``key``, annotated with ``is_visible`` (to ``reader``); None where there is none.

    ``key`` is an id where it is a number, and a value of ``name_field`` otherwise. ``records`` returns the queryset of
    a reader.
    """
    by_id = is_id(key)
    value = id_in(key) if by_id else paths.name_in(key)
    if reader.id is None or "\0" in str(value):
        return None
    shape = (records, "pk" if by_id else name_field, reader.rank, lock)
    return record_with_visibility(value, reader.id, shape=shape)
