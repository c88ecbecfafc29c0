"""The form with which people drain nodes: on the pages of nodes and in the administration."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone

from instances import drains
from instances.models import Drain, User
from instances.refusals import ERRORS, reason_of
from instances.text import TURNING

MINUTES = "%Y-%m-%dT%H:%M"  # as browsers write a time
no_turning = RegexValidator(
    TURNING, "Characters that change the direction of text are not allowed.", inverse_match=True
)


class DrainForm(forms.Form):
    """What is requested of a drain. ``begin()`` drains nodes; what refuses that is shown as errors of the form."""

    reason = forms.CharField(
        max_length=drains.LONGEST_REASON,
        validators=[no_turning],
        help_text="Why the node is taken out. It is shown with the node, and recorded.",
    )
    deadline = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES),
        help_text="When its jobs should have ended. After it the node counts as overdue.",
    )
    then = forms.ChoiceField(label="Once its jobs have ended", choices=Drain.Then.choices, initial=Drain.Then.STAY)
    force_reason = forms.CharField(
        label="Reason to force it",
        required=False,
        max_length=drains.LONGEST_REASON,
        validators=[no_turning],
        help_text="Usually empty. With a reason, a group's minimum or the last control node does not refuse the drain, "
        "and the next step follows after the deadline even if jobs still run.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["deadline"].label = f"Deadline ({timezone.get_current_timezone_name()})"

    def clean_deadline(self) -> datetime | None:
        deadline: datetime | None = self.cleaned_data["deadline"]
        if deadline is not None and deadline <= timezone.now():
            raise ValidationError(drains.PAST_DEADLINE)
        return deadline

    def begin(self, pks: Collection[int], by: User) -> bool:
        """Whether the nodes, all or none of them, are drained now; if not, the form has the reason as an error."""
        if not self.is_valid():
            return False
        try:
            drains.begin(pks, drains.DrainPlan(**self.cleaned_data), by)
        except ValidationError as error:
            for name, messages in getattr(error, "message_dict", {"": error.messages}).items():
                self.add_error(name if name in self.fields else None, messages)
        except ERRORS as error:
            self.add_error(None, reason_of(error))
        return self.is_valid()
