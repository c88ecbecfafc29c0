"""What all pages of the administration share: the API's rights, and refusals that are read instead of tracebacks."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from psycopg.errors import QueryCanceled

from instances import database
from instances.admin import show
from instances.admin.forms import Refused
from instances.admin.lists import MeshList, NewestFirst
from instances.locking import StaleError, lock_record
from instances.messages import BUSY, CONFLICT, STALE
from instances.mirror import guard
from instances.models import Mirror
from instances.reader import Reader

REFUSALS = (ValidationError, StaleError, DatabaseError, ObjectDoesNotExist)
MOST_AT_ONCE = 200  # records that an action is done to
MOST_TOLD = 10  # refusals of an action
TOO_LONG = "The database takes too long to answer this; ask for less."


def mirror_of(request: HttpRequest) -> Mirror | None:
    """The mirror that this service is, if it is one; asked once a request."""
    known = vars(request)
    if "mirror" not in known:
        known["mirror"] = guard.current()
    mirror: Mirror | None = known["mirror"]
    return mirror


def reason_of(error: Exception) -> str:
    """Why the domain or the database refused a change, in words; raises ``error`` if it is no refusal."""
    if database.is_away(error):
        raise error
    if refused := guard.error_message(error):
        return refused
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, StaleError):
        return STALE
    if isinstance(error.__cause__, QueryCanceled) or isinstance(error, OperationalError):
        return BUSY
    if isinstance(error, IntegrityError | ObjectDoesNotExist):
        return CONFLICT
    raise error


class MeshAdmin(admin.ModelAdmin):
    """Shows staff what the API shows them, and lets them change what the API lets them change."""

    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    more_lookups: ClassVar[tuple[str, ...]] = ()  # what can be filtered by in the address beside the list's filters
    plural = ""  # what the records are called, where that is not their model's name
    none = ""  # what a list without any record says, where "There are no ..." would not do
    locks = True  # whether a record is held from the check of a change to its end

    class Media:
        js = ["instances/admin.js"]

    @property
    def called(self) -> str:
        """What records of this kind are called where there are many of them."""
        return self.plural or str(capfirst(self.opts.verbose_name_plural))

    # --- who may do what

    def get_queryset(self, request: HttpRequest) -> Any:
        records: Any = super().get_queryset(request)
        return records.visible_to(Reader.of(request.user))

    def may_write(self, request: HttpRequest) -> bool:
        """Whether the user may change records of this kind."""
        return bool(request.user.is_superuser) and mirror_of(request) is None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff) and self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_write(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        filters: Any = self.get_list_filter(request)
        offered = [f"{each}__exact" if isinstance(each, str) else each.parameter_name for each in filters]
        return lookup in offered or lookup in self.more_lookups

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return MeshList

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # it asks the rules of nobody
        return actions

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        record = super().get_object(request, object_id, from_field)
        if record is None or request.method != "POST" or not self.locks:
            return record
        self.hold(record.pk)
        return super().get_object(request, object_id, from_field)

    def hold(self, pk: int) -> None:
        """Hold the record, so that what is checked now is still so when it is written."""
        lock_record(self.model, pk)

    @transaction.atomic  # for get_object, which Django's pages to change and to delete ask in a transaction too
    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return super().history_view(request, object_id, extra_context)

    # --- refusals

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        try:
            return super().changelist_view(request, {"title": self.called, **(extra_context or {})})
        except DatabaseError as error:
            if not (isinstance(error.__cause__, QueryCanceled) or isinstance(error, DataError)):
                raise
            context = {**self.admin_site.each_context(request), "title": "No answer", "reason": TOO_LONG}
            return TemplateResponse(request, "admin/instances/no_answer.html", context, status=503)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except REFUSALS as error:
            if request.method != "POST":
                raise
            request.refusal = reason_of(error)  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        refusal = getattr(request, "refusal", "")
        return type(form.__name__, (Refused, form), {"refusal": refusal}) if refusal else form

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as error:
            self.message_user(request, reason_of(error), messages.ERROR)
            return HttpResponseRedirect(self.url_of("changelist"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What is named before a deletion: Django's own would read every record that refers to these."""
        return [show.name(each) for each in objs], {}, set(), []

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)

    def url_of(self, view: str, *arguments: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}", args=arguments)

    # --- actions

    def do(
        self, request: HttpRequest, records: Iterable[Model], act: Callable[[Any], Any], done: str, note: str = ""
    ) -> HttpResponse:
        """Do ``act`` to each of the records, with an entry in its history, and tell how it went.

        ``done`` is what was done, as in "3 disabled". What is refused for one record is done to the others.
        """
        number, refusals = 0, []
        for record in records:
            try:
                with transaction.atomic():
                    if note:
                        self.log_change(request, record, note)
                    act(record)
                number += 1
            except REFUSALS as error:
                refusals.append((record, reason_of(error)))
        if number:
            self.message_user(request, f"{number} {done}.", messages.SUCCESS)
        for record, reason in refusals[:MOST_TOLD]:
            self.message_user(request, format_html("{}: {}", show.name(record), reason), messages.ERROR)
        if len(refusals) > MOST_TOLD:
            self.message_user(request, f"{len(refusals) - MOST_TOLD} more were refused.", messages.ERROR)
        return HttpResponseRedirect((request.POST.get("back") and self.back(records)) or request.get_full_path())

    def back(self, records: Iterable[Model]) -> str:
        """The page of the one record that the action was asked for on."""
        pks = [record.pk for record in records]
        return self.url_of("change", pks[0]) if len(pks) == 1 else ""

    def chosen(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """The records of an action; none, and a message, where they are too many."""
        records = list(queryset.order_by("pk")[: MOST_AT_ONCE + 1])
        if len(records) > MOST_AT_ONCE:
            self.message_user(request, f"Choose at most {MOST_AT_ONCE} at once.", messages.ERROR)
            return []
        return records

    def ask(
        self,
        request: HttpRequest,
        records: list[Any],
        *,
        title: str,
        explanation: str,
        details: Any,
        button: str,
        form: forms.Form | None = None,
    ) -> TemplateResponse:
        """The page that asks before the action which ``request`` chose is done to exactly these records."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "explanation": explanation,
            "details": details,
            "button": button,
            "form": form,
            "media": self.media,
            "records": records,
            "checkbox": ACTION_CHECKBOX_NAME,
            "action": request.POST.getlist("action")[-1],
            "back": request.POST.get("back", ""),
            "cancel": (request.POST.get("back") and self.back(records)) or request.get_full_path(),
        }
        return TemplateResponse(request, "admin/instances/ask.html", context)

    @staticmethod
    def is_confirmed(request: HttpRequest) -> bool:
        return "confirmed" in request.POST


class LookedAtAdmin(MeshAdmin):
    """Records that nobody changes here."""

    locks = False

    def may_write(self, request: HttpRequest) -> bool:
        return False


class UncountedAdmin(LookedAtAdmin):
    """Records of which there may be very many."""

    change_list_template = "admin/instances/newest_first.html"
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return NewestFirst
