"""What all views of the API share: AWX's headers, and finding a record by its id or its name."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from datetime import datetime
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

from awx_compat import etags, paths
from awx_compat.answer_cache import Basis
from awx_compat.exceptions import PLAIN, NotFoundByName, NotWritable
from awx_compat.filters import may_be_slow
from awx_compat.parsers import BodyError
from awx_compat.turns import SLOW
from instances import database
from instances.listing import Listing, listing_of
from instances.locking import lock_rows
from instances.models.fields import HIGHEST_ID
from instances.prepared import prepared, prepared_listing
from instances.reader import Reader
from instances.versions import Dependencies

Records = Callable[[Any], Any]  # of a reader


class ApiView(APIView):
    """A view whose answers carry AWX's headers: X-API-Product-Name and -Version, X-API-Node, X-API-Time."""

    title: str  # what AWX calls the view
    attaches = False  # whether POST puts a record that exists into this list
    creates = True  # whether POST makes a new record
    tells_version = True
    named_record: Any = None  # that the path names, once it was found
    is_missing = False  # whether that was looked for and not found
    modified: datetime | None = None  # when the record that is told was changed
    # All rows that the answers to GET and OPTIONS are made of; None where they are made of anything else as well.
    depends_on: Dependencies | None = None

    def named(self) -> tuple[Records, str] | None:
        """All records of the kind of which the path names one, and the field of their names."""
        return None

    @property
    def reader(self) -> Reader:
        """Who asks."""
        return Reader.of(self.request.user)

    def is_by_name(self) -> bool:
        """Whether the path names a record by anything but its id."""
        return self.named() is not None and not is_id(self.kwargs["key"])

    def found(self, lock: bool = False) -> Any:
        """The record that the path names, by its id or its name; with ``lock`` until the transaction ends.

        Raises what AWX answers: NotFound for an id that does not exist, PermissionDenied for a record that the reader
        may not see, NotFoundByName for a name of neither kind.
        """
        named = self.named()
        record = named and find(*named, self.kwargs["key"], self.reader, lock)
        self.is_missing = record is None or not record.is_visible
        if not self.is_missing:
            self.named_record = record
            return record
        if not is_id(self.kwargs["key"]):
            raise NotFoundByName
        raise NotFound if record is None else PermissionDenied

    def subject(self) -> Any:
        """The record that the right to change something here depends on; None where the user alone decides."""
        return None

    def permitted(self) -> Any:
        """The subject. Raises PermissionDenied where the user has no right to the request's method on it."""
        subject = self.subject()
        if subject is not None:
            self.check_object_permissions(self.request, subject)
        return subject

    def may(self, method: str) -> bool:
        """Whether the user who asks has the right to ``method`` here; to one that is lacking, superusers have it."""
        with override_method(self, self.request, method) as request:
            try:
                self.check_permissions(request)
                self.permitted()
            except (NotAuthenticated, NotFound, PermissionDenied):
                return False
        return not self.lacks(method) or bool(self.request.user.is_superuser)

    def lacks(self, method: str) -> bool:
        """Whether ``method`` is one of AWX's that this service does not have yet."""
        return getattr(type(self), method.lower()) is not_writable

    def get_view_name(self) -> str:
        return self.title

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        self.started = time.perf_counter()
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except Error:
            request.user, request.auth = AnonymousUser(), None  # the error's answer would ask, and fail, once more
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
        """Read the body first, as AWX does; then nothing is held yet that others would wait for while it comes.

        That of somebody unknown is not read, nor is it where only the right to another method is asked for.
        """
        if request.user.is_authenticated and request._request.method not in SAFE_METHODS:
            request.data  # noqa: B018 - is read when it is asked for first
        super().check_permissions(request)

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, PermissionDenied) and self.is_by_name() and self.request.user.is_authenticated:
            error = NotFoundByName()  # nor does AWX tell whether there is such a name
        if isinstance(error, NotFound) and self.is_by_name():
            self.headers = {"Vary": "Accept"}
        self.tells_version = not isinstance(error, BodyError | UnsupportedMediaType)  # nor does AWX
        return super().handle_exception(error)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if "X-API-Product-Name" in response:
            if self.tells_version and request.user.is_authenticated:
                response["X-API-Product-Version"] = settings.AWX_VERSION
            response["X-API-Time"] = f"{time.perf_counter() - self.started:.3f}s"
        if isinstance(response, Response):
            response.basis = self.basis(request, response)  # type: ignore[attr-defined]
            response.add_post_render_callback(self.let_go)
        return response

    def basis(self, request: Request, response: Response) -> Basis | None:
        """What ``response`` depends on, if that is known and it is one for programs that tell who they are by a token.

        A session's answers renew its cookie, and what a password stands for is remembered for a minute only.
        """
        token: Any = request.auth
        if self.depends_on is None or request.method not in SAFE_METHODS or response.status_code != status.HTTP_200_OK:
            return None
        if request.accepted_renderer.format == "api" or self.is_missing:
            return None
        if not self.authentication_classes:
            return Basis(self.depends_on, {})
        if token is None:
            return None
        params = {"token": token.pk, "reader": token.user_id, "record": self.named_record and self.named_record.pk}
        return Basis(self.depends_on, params, token.expires.timestamp())

    def let_go(self, response: Response) -> None:
        """Forget what was answered: view, request and response know each other, and only the collector would notice.

        It comes the later the fewer objects are made, and a page is large.
        """
        self.request.parser_context.clear()
        response.renderer_context.clear()  # type: ignore[attr-defined]
        vars(self).clear()


def not_writable(view: ApiView, request: Request, **kwargs: Any) -> Response:
    """A method that the view lacks."""
    raise NotWritable


class ListView(ApiView, ListAPIView[Any]):
    """A page of records."""

    search_fields: tuple[str, ...] = ()
    ordering: tuple[str, ...] = ()  # as AWX's view has it; few have one
    visible: Records | None = None  # the records that a reader sees, where they follow from the reader alone

    def address(self) -> str:
        """The path and query of this list, with the id of a record that the path names otherwise."""
        url = self.request.get_full_path()
        if not self.is_by_name():
            return url
        parts = urlsplit(url)
        above, _, below = parts.path.rstrip("/").rsplit("/", 2)
        return parts._replace(path=f"{above}/{self.named_record.pk}/{below}/").geturl()

    @property
    def is_plain(self) -> bool:
        """Whether all records are asked for, which takes no filter, search or order."""
        return not self.request.query_params.keys() - PLAIN

    def get_queryset(self) -> Any:
        return type(self).visible(self.reader)  # type: ignore[misc]

    def get_listing(self) -> Listing:
        """The records that the request asks for; all that its reader sees are a query that is compiled once."""
        reader = self.reader
        if self.visible is None or reader.id is None or not self.is_plain:
            records = self.get_queryset()
            return listing_of(records, self.filter_queryset(records))
        return all_visible(reader.id, shape=(self.visible, reader.rank))

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Ask the database now, or, where that may be slow, when it is one's turn, and not for long."""
        filterset: Any = getattr(self, "filterset_class", None)
        if filterset is None or self.is_plain or not may_be_slow(filterset, self.request.query_params):
            yield
            return
        self.depends_on = None  # it reads other records than those that are listed
        with SLOW.turn(), database.limit_statements(settings.STATEMENT_TIMEOUT):
            yield

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with self.turn():
            listing: Any = self.get_listing()
            page: Any = self.paginate_queryset(listing)
        render = self.get_serializer().to_representation  # a serializer of many refers to itself, and would stay
        return self.get_paginated_response([render(record) for record in page])

    def create(self, request: Request, serializer_class: Any) -> Response:
        """Make the record that ``request`` asks for, and tell it by ``serializer_class``."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        record = self.get_queryset().get(pk=asked.save().pk)
        told = serializer_class(record, context=self.get_serializer_context()).data
        return Response(told, status=status.HTTP_201_CREATED, headers={"Location": told["url"]})


class DetailView(ApiView, RetrieveAPIView[Any]):
    """One record, by the ``key`` in its path: an id, or a name in ``name_field``."""

    name_field: str

    @staticmethod
    def records(reader: Any) -> Any:
        """All records of the kind, with what is told of each to ``reader``."""
        raise NotImplementedError

    def get_queryset(self) -> Any:
        return self.records(self.reader)

    def named(self) -> tuple[Records, str] | None:
        return self.records, self.name_field

    def subject(self) -> Any:
        return self.found()

    def get_object(self) -> Any:
        return self.permitted()

    def get_locked_object(self) -> Any:
        """The record, locked until the transaction ends, so that what is checked now is still so when it is written.

        The right to change it is looked at before, so that nobody without it makes others wait.
        """
        self.get_object()
        record = self.found(lock=True)
        self.check_object_permissions(self.request, record)
        return record

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.found()
        return self.with_etag(request, Response(self.get_serializer(record).data), record)

    def change(self, request: Request, partial: bool = False) -> Response:
        """Change the record as ``request`` asks, and render it as GET does."""
        with transaction.atomic():
            record = self.get_locked_object()
            etags.refuse_if_known(request, record.modified)
            before = copy.copy(record)
            serializer = self.get_serializer(record, data=request.data, partial=partial)
            serializer.is_valid(raise_exception=True)
            etags.refuse_if_changed(request, record.modified)
            serializer.save()
            changed = self.changed(before, record)
        return self.with_etag(request, Response(self.get_serializer(changed).data), changed)

    def with_etag(self, request: Request, response: Response, record: Any) -> Response:
        self.modified = modified = getattr(record, "modified", None)
        if modified is not None and request.accepted_renderer.format == "json":
            response.add_post_render_callback(lambda rendered: etags.conclude(request, rendered, modified))
        return response

    def changed(self, before: Any, record: Any) -> Any:
        """``record``, as it is after a change, as the answer to that renders it; ``before`` is what it was."""
        return record


def is_id(key: str) -> bool:
    return key.isascii() and key.isdecimal()


def id_in(key: str) -> int:
    """The id that a path's segment stands for; 0, which no record has, where it is none or too large for one."""
    return int(key) if is_id(key) and len(key) <= len(str(HIGHEST_ID)) else 0


def find(records: Records, name_field: str, key: str, reader: Reader, lock: bool = False) -> Any:
    """The record that ``key`` names, with ``is_visible``, whether ``reader`` sees it; None where there is none.

    ``key`` is an id where it is a number, and a name in ``name_field`` otherwise. ``records``: all of the kind, as a
    function of who reads them.
    """
    by_id = is_id(key)
    value = id_in(key) if by_id else paths.name_in(key)
    if reader.id is None or "\0" in str(value):
        return None
    shape = (records, "pk" if by_id else name_field, reader.rank, lock)
    return record_with_visibility(value, reader.id, shape=shape)


@prepared_listing
def all_visible(visible: Records, rank: tuple[Any, ...], reader_id: int) -> Any:
    return visible(Reader(reader_id, *rank))


@prepared
def record_with_visibility(
    records: Records, field: str, rank: tuple[Any, ...], lock: bool, value: int | str, reader_id: int
) -> Any:
    reader = Reader(reader_id, *rank)
    found = records(reader).filter(**{field: value}).with_visibility(reader)
    return lock_rows(found) if lock else found
