"""The forms of the planning pages. They are sent by GET and change nothing: the address of a plan is the plan.

Nodes are named by their ids, which keeps the address short, and all nodes of a group by the id of the group: proxies take
8 KB of an address, so that no more than MOST_CHOSEN nodes are chosen one by one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from instances.models import Instance, InstanceGroup

MOST_CHOSEN = 400
MOST_ROWS = 20  # of nodes to add, or of policies
MOST_NODES = 100  # that one row adds
NOT_THERE = "A choice does not exist any more, or you may not see it."
TOO_MANY = f"Choose at most {MOST_CHOSEN} nodes one by one; choose the others by their groups."
NO_FIGURES = "Enter the CPUs and the memory of the node."
Groups = Sequence[InstanceGroup]


class RecordsField(forms.Field):
    """Records by their ids, in the order of the address, each once. The form sets ``records``, those that may be
    chosen, by their ids as texts."""

    widget = forms.SelectMultiple
    records: Mapping[str, Any] = {}

    def to_python(self, value: list[str] | None) -> list[Any]:
        chosen = [each for each in dict.fromkeys(value or ()) if each]
        if not set(chosen) <= self.records.keys():
            raise ValidationError(NOT_THERE)
        return [self.records[each] for each in chosen]


class RecordField(forms.TypedChoiceField):
    """One of the records, or None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(coerce=self.record_of, empty_value=None, required=False, **options)
        self.records: Mapping[str, Any] = {}

    def record_of(self, value: str) -> Any:
        return self.records[value]


def offer_records(form: forms.Form, names: Sequence[str], records: Sequence[Any]) -> None:
    """Let the fields of these names choose among the records."""
    known = {str(each.pk): each for each in records}
    for name in names:
        field: Any = form.fields[name]
        field.records = known
        offered = [(pk, str(each)) for pk, each in known.items()]
        if isinstance(field, RecordField):
            field.choices = [("", "-"), *offered]
        else:
            field.widget.choices = offered


class LossForm(forms.Form):
    """Which nodes to remove and to disable; and a filter of the nodes that are listed to choose from."""

    q = forms.CharField(required=False, max_length=250, label="Name")
    of = RecordField(label="Group")
    remove = RecordsField(required=False)
    disable = RecordsField(required=False)
    remove_members = RecordsField(required=False)
    disable_members = RecordsField(required=False)

    def __init__(self, data: QueryDict, nodes: Sequence[Instance], groups: Groups) -> None:
        super().__init__(data, use_required_attribute=False)
        offer_records(self, ["remove", "disable"], nodes)
        offer_records(self, ["of", "remove_members", "disable_members"], groups)

    def clean(self) -> dict[str, Any]:
        if len(self.cleaned_data.get("remove", ())) + len(self.cleaned_data.get("disable", ())) > MOST_CHOSEN:
            raise ValidationError(TOO_MANY)
        return self.cleaned_data


class AddedNodesForm(forms.Form):
    """Nodes to add, all alike."""

    number = forms.IntegerField(min_value=1, max_value=MOST_NODES, initial=1)
    node_type = forms.ChoiceField(choices=Instance.NodeType.choices, initial=Instance.NodeType.EXECUTION, label="Type")
    cpu = forms.DecimalField(required=False, min_value=0, max_value=10_000, max_digits=6, decimal_places=1, label="CPUs")
    memory = forms.DecimalField(
        required=False, min_value=0, max_value=1_000_000, max_digits=8, decimal_places=1, label="Memory in GiB"
    )
    groups = RecordsField(required=False)

    def __init__(self, *args: Any, groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_records(self, ["groups"], groups)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        is_complete = found.get("node_type") == Instance.NodeType.HOP or (found.get("cpu") and found.get("memory"))
        if not (is_complete or self.errors):
            raise ValidationError(NO_FIGURES)
        return found


class PolicyForm(forms.Form):
    """Other policies of a group; what is left empty stays as it is."""

    group = RecordField(label="Group")
    minimum = forms.IntegerField(required=False, min_value=0, max_value=100_000, label="At least, nodes")
    percentage = forms.IntegerField(required=False, min_value=0, max_value=100, label="At least, percent")

    def __init__(self, *args: Any, groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_records(self, ["group"], [each for each in groups if not each.is_container_group])

    def clean_group(self) -> InstanceGroup:
        if self.cleaned_data["group"] is None:
            raise ValidationError("Choose a group.")
        group: InstanceGroup = self.cleaned_data["group"]
        return group


AddedNodes = forms.formset_factory(AddedNodesForm, max_num=MOST_ROWS, absolute_max=MOST_ROWS)
Policies = forms.formset_factory(PolicyForm, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


def with_rows(data: QueryDict, *prefixes: str) -> QueryDict:
    """The query with as many rows of each formset as it asks for: those that it has, and one more for ``more``."""
    completed = data.copy()
    for prefix in prefixes:
        total = data.get(f"{prefix}-TOTAL_FORMS", "")
        rows = int(total) if total.isascii() and total.isdigit() and len(total) < 4 else 1
        rows += prefix in data.getlist("more")
        completed[f"{prefix}-TOTAL_FORMS"] = str(max(1, min(rows, MOST_ROWS)))
        completed[f"{prefix}-INITIAL_FORMS"] = "0"
    return completed
