"""Base classes of all pages of the administration: the API's rights, and errors as messages instead of tracebacks."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import DatabaseError, DataError, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from psycopg.errors import QueryCanceled

from instances.admin import show
from instances.admin.forms import RejectedForm
from instances.admin.lists import MeshList, NewestFirst
from instances.locking import lock_record
from instances.mirror import guard
from instances.models import Mirror
from instances.reader import Reader
from instances.refusals import ERRORS, reason_of

MOST_AT_ONCE = 200  # records of one action
MOST_ERRORS = 10  # errors of an action that are shown
TOO_LONG = "The query takes too long. Use other filters or a shorter search."


def mirror_of(request: HttpRequest) -> Mirror | None:
    """The mirror, or None if this service is none. Read once for each request."""
    known = vars(request)
    if "mirror" not in known:
        known["mirror"] = guard.current()
    mirror: Mirror | None = known["mirror"]
    return mirror


class MeshAdmin(admin.ModelAdmin):
    """A page on which staff have the same rights as over the API."""

    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    extra_lookups: ClassVar[tuple[str, ...]] = ()  # lookups allowed in the address beside the list's filters
    plural = ""  # name of the records, if it differs from the model's verbose_name_plural
    none = ""  # text of an empty list, in place of "There are no ..."
    locks = True  # whether a record is locked while a change is checked and written

    class Media:
        js = ["instances/admin.js"]

    @property
    def verbose_name_plural(self) -> str:
        """The display name of the records, in the plural."""
        return self.plural or str(capfirst(self.opts.verbose_name_plural))

    # --- rights

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
        return lookup in offered or lookup in self.extra_lookups

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return MeshList

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # Django's action bypasses the domain's rules
        return actions

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        record = super().get_object(request, object_id, from_field)
        if record is None or request.method != "POST" or not self.locks:
            return record
        self.lock_record(record.pk)
        return super().get_object(request, object_id, from_field)

    def lock_record(self, pk: int) -> None:
        """Lock the record, so that it cannot change between check and write."""
        lock_record(self.model, pk)

    @transaction.atomic  # for the lock in get_object
    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return super().history_view(request, object_id, extra_context)

    # --- errors

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        try:
            return super().changelist_view(request, {"title": self.verbose_name_plural, **(extra_context or {})})
        except DatabaseError as error:
            if not (isinstance(error.__cause__, QueryCanceled) or isinstance(error, DataError)):
                raise
            context = {**self.admin_site.each_context(request), "title": "Query too slow", "reason": TOO_LONG}
            return TemplateResponse(request, "admin/instances/no_answer.html", context, status=503)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ERRORS as error:
            if request.method != "POST":
                raise
            request.refusal = reason_of(error)  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        refusal = getattr(request, "refusal", "")
        return type(form.__name__, (RejectedForm, form), {"refusal": refusal}) if refusal else form

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ERRORS as error:
            self.message_user(request, reason_of(error), messages.ERROR)
            return HttpResponseRedirect(self.url_of("changelist"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The names on the confirmation page. Django's version would read every record that refers to these."""
        return [show.name(each) for each in objs], {}, set(), []

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)

    def url_of(self, view: str, *arguments: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}", args=arguments)

    # --- actions

    def run_action(
        self, request: HttpRequest, records: Iterable[Model], act: Callable[[Any], Any], done: str, note: str = ""
    ) -> HttpResponse:
        """Call ``act`` for each of the records, add ``note`` to its history, and show messages with the results.

        ``done`` completes a message such as "3 disabled". An error for one record does not affect the others.
        """
        number, errors = 0, []
        for record in records:
            try:
                with transaction.atomic():
                    if note:
                        self.log_change(request, record, note)
                    act(record)
                number += 1
            except ERRORS as error:
                errors.append((record, reason_of(error)))
        if number:
            self.message_user(request, f"{number} {done}.", messages.SUCCESS)
        for record, reason in errors[:MOST_ERRORS]:
            self.message_user(request, format_html("{}: {}", show.name(record), reason), messages.ERROR)
        if len(errors) > MOST_ERRORS:
            self.message_user(request, f"{len(errors) - MOST_ERRORS} more errors.", messages.ERROR)
        return HttpResponseRedirect((request.POST.get("back") and self.back(records)) or request.get_full_path())

    def back(self, records: Iterable[Model]) -> str:
        """The address of the record's page, if the action was started there; otherwise empty."""
        pks = [record.pk for record in records]
        return self.url_of("change", pks[0]) if len(pks) == 1 else ""

    def selected(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """The records of an action. If they are too many, an empty list, and an error message."""
        records = list(queryset.order_by("pk")[: MOST_AT_ONCE + 1])
        if len(records) > MOST_AT_ONCE:
            self.message_user(request, f"Select at most {MOST_AT_ONCE} records.", messages.ERROR)
            return []
        return records

    def confirmation_page(
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
        """The page on which the user confirms the action of ``request`` for exactly these records."""
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


class ReadOnlyAdmin(MeshAdmin):
    """Records that cannot be changed here."""

    locks = False

    def may_write(self, request: HttpRequest) -> bool:
        return False


class NewestFirstAdmin(ReadOnlyAdmin):
    """Records without a count in lists, as there may be very many."""

    change_list_template = "admin/instances/newest_first.html"
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return NewestFirst
