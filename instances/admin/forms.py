"""Forms whose values are checked and written by functions of the domain."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import Model

from instances import tokens
from instances.drain_form import no_turning

Check = Callable[[Any, Any], Any]


class CheckedForm(forms.ModelForm):
    """A form that never saves its instance: a function of the domain writes ``values()``.

    For an existing record, ``values()`` has only the fields changed on the page. If one of these fields was changed
    elsewhere in the meantime, the form is invalid: hidden fields contain the values that the page showed.
    """

    checks: Mapping[str, Check] = {}  # by field, a function of the record (None for a new record) and the value

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = self.is_change

    @property
    def is_change(self) -> bool:
        return self.instance.pk is not None

    def values(self) -> dict[str, Any]:
        """The checked values to write, by field."""
        names = self.changed_data if self.is_change else list(self.fields)
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}

    def clean(self) -> dict[str, Any]:
        super().clean()
        record = self.instance if self.is_change else None
        self.refuse_overwriting()
        for name, value in self.values().items():
            try:
                self.cleaned_data[name] = self.checks[name](record, value) if name in self.checks else value
            except ValidationError as error:
                self.add_error(name, error)
        if not self.errors:
            self.check(self.check_together, record, self.values())
        return self.cleaned_data

    def refuse_overwriting(self) -> None:
        for name in self.changed_data if self.is_change else ():
            field, shown_as = self.fields[name], self[name].html_initial_name
            shown = field.hidden_widget().value_from_datadict(self.data, self.files, shown_as)
            if field.has_changed(self.initial.get(name), shown):
                self.add_error(name, "This field was changed in the meantime. Reload the page before you change it.")

    def check(self, check: Callable[..., Any], *arguments: Any) -> None:
        """Call ``check`` and add its errors to the form, at their fields if the form has them."""
        try:
            check(*arguments)
        except ValidationError as error:
            for name, errors in (error.error_dict if hasattr(error, "error_dict") else {None: [error]}).items():
                self.add_error(name if name in self.fields and name != NON_FIELD_ERRORS else None, errors)

    def check_together(self, record: Any, values: dict[str, Any]) -> None:
        """Raise ValidationError if the combination of values is invalid."""


class RejectedForm:
    """Mixin for a valid form whose change the domain or the database refused: shows the error ``refusal``."""

    refusal = ""

    def clean(self) -> Any:
        super().clean()  # type: ignore[misc]
        raise ValidationError(self.refusal)


class LinesField(forms.CharField):
    """A list of words, each on a line."""

    widget = forms.Textarea(attrs={"rows": 6})

    def to_python(self, value: Any) -> Any:
        return (super().to_python(value) or "").split() if value is None or isinstance(value, str) else value

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value


def choice_of(model: type[Model], field: str, records: Any, help_text: str) -> forms.ModelChoiceField:
    """A field for one of ``records``, to which ``field`` of the model refers, with a search."""
    widget = AutocompleteSelect(model._meta.get_field(field), admin.site)
    return forms.ModelChoiceField(queryset=records, widget=widget, help_text=help_text)


class ManyPicker(AutocompleteSelectMultiple):
    """Selected records with a search field. Without select2's button that removes all, whose HTML is invalid."""

    def __init__(self, model: type[Model], field: str) -> None:
        super().__init__(model._meta.get_field(field), admin.site)

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().build_attrs(*args, **kwargs), "data-allow-clear": "false"}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        validators=[no_turning],
        widget=forms.TextInput(attrs={"size": 60, "autofocus": True}),
        help_text="The reason is shown with the node until the node is enabled again, and stays in the history.",
    )


class RemovalReasonForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = "The reason stays in the history and in the audit log."


class RevokesTokens(forms.Form):
    """Part of a form whose ``save()`` returns the user."""

    revoke_tokens = forms.BooleanField(
        required=False,
        initial=True,
        label="Revoke all tokens of this user",
        help_text="Tokens stay valid after a change of password unless they are revoked.",
    )

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)  # type: ignore[misc]
        if self.cleaned_data["revoke_tokens"]:
            tokens.revoke_all(user)
        return user


class UserPasswordForm(RevokesTokens, AdminPasswordChangeForm):
    """A superuser sets the password of a user."""


class OwnPasswordForm(RevokesTokens, PasswordChangeForm):
    """A user changes the own password."""
