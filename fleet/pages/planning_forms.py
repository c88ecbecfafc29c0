"""The forms of the planning pages. They are sent by GET and change nothing: the address of a plan is the plan.

Nodes are named by their ids, which keeps the address short, and all nodes of a group by the id of the group: proxies
take 8 KB of an address, so that no more than MOST_CHOSEN nodes are chosen one by one.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from instances.capacity import IMPACT_BY_HOSTS, MOST_FORKS, task_impact
from instances.health.report import MOST_CPU, MOST_MEMORY
from instances.models import Instance, InstanceGroup, UnifiedJob
from instances.models.fields import HIGHEST_ID
from instances.planning import windows
from instances.planning.changes import Change, NewNode
from instances.planning.fit import MOST_COPIES
from instances.planning.placement import Workload

GIBIBYTE = 2**30
MOST_CHOSEN = 400
MOST_ROWS = 20  # of nodes to add, or of policies
MOST_ALIKE = 100  # nodes that one row adds
MOST_GIBIBYTES = MOST_MEMORY // GIBIBYTE
MOST_MINIMUM = 2**31 - 1
ANY_DECIMAL = forms.NumberInput(attrs={"step": "any"})
NOT_THERE = "A choice does not exist any more, or you may not see it."
TOO_MANY = f"Choose at most {MOST_CHOSEN} nodes one by one; choose the others by their groups."
NO_GROUP = "Choose a group."
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

    def has_changed(self, initial: Any, data: list[str] | None) -> bool:
        return any(data or ())


class RecordField(forms.ChoiceField):
    """One of the records, or None."""

    records: Mapping[str, Any] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> Any:
        return self.records.get(super().clean(value))


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
    """Which nodes to remove and to disable, and a filter of those that are listed to choose from.

    What is chosen for a node counts before what is chosen for its group.
    """

    q = forms.CharField(required=False, max_length=250)
    of = RecordField()
    remove = RecordsField(required=False)
    disable = RecordsField(required=False)
    remove_members = RecordsField(required=False)
    disable_members = RecordsField(required=False)

    def __init__(self, data: QueryDict, nodes: Sequence[Instance], groups: Groups) -> None:
        super().__init__(data)
        offer_records(self, ["remove", "disable"], nodes)
        offer_records(self, ["of", "remove_members", "disable_members"], groups)

    def clean(self) -> dict[str, Any]:
        if sum(len(self.cleaned_data.get(name, ())) for name in ("remove", "disable")) > MOST_CHOSEN:
            raise ValidationError(TOO_MANY)
        return self.cleaned_data

    @property
    def all_errors(self) -> list[str]:
        """The messages of all fields, which the page shows together."""
        return [str(message) for messages in self.errors.values() for message in messages]

    def losses(self, members: Mapping[int, Sequence[Instance]]) -> tuple[set[str], set[str]]:
        """The hostnames of the nodes to remove and to disable; ``members``: the nodes of each group, by its id."""
        chosen = self.cleaned_data
        remove, disable = ({node.hostname for node in chosen[name]} for name in ("remove", "disable"))
        remove |= hostnames_of(chosen["remove_members"], members) - disable
        disable |= hostnames_of(chosen["disable_members"], members) - remove
        return remove, disable


def hostnames_of(groups: Groups, members: Mapping[int, Sequence[Instance]]) -> set[str]:
    return {node.hostname for group in groups for node in members.get(group.pk, ())}


class AddedNodesForm(forms.Form):
    """Nodes to add, all alike."""

    number = forms.IntegerField(min_value=1, max_value=MOST_ALIKE, initial=1)
    node_type = forms.ChoiceField(choices=Instance.NodeType.choices, initial=Instance.NodeType.EXECUTION, label="Type")
    cpu = forms.DecimalField(
        min_value=Decimal("0.1"), max_value=MOST_CPU, decimal_places=1, label="CPUs", widget=ANY_DECIMAL
    )
    memory = forms.DecimalField(
        min_value=Decimal("0.1"), max_value=MOST_GIBIBYTES, decimal_places=1, label="Memory in GiB", widget=ANY_DECIMAL
    )
    groups = RecordsField(required=False)

    def __init__(self, *args: Any, groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_records(self, ["groups"], groups)

    def nodes(self) -> list[NewNode]:
        values = self.cleaned_data
        node = NewNode(
            cpu=values["cpu"],
            memory=int(values["memory"] * GIBIBYTE),
            node_type=values["node_type"],
            groups=[group.name for group in values["groups"]],
        )
        return [node] * values["number"]


class PolicyForm(forms.Form):
    """Other policies of a group; what is left empty stays as it is."""

    group = RecordField()
    policy_instance_minimum = forms.IntegerField(
        required=False, min_value=0, max_value=MOST_MINIMUM, label="At least, nodes"
    )
    policy_instance_percentage = forms.IntegerField(
        required=False, min_value=0, max_value=100, label="At least, percent"
    )

    def __init__(self, *args: Any, groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_records(self, ["group"], groups)

    def clean_group(self) -> InstanceGroup:
        group: InstanceGroup | None = self.cleaned_data["group"]
        if group is None:
            raise ValidationError(NO_GROUP)
        return group

    def policies(self) -> dict[str, int]:
        return {name: value for name, value in self.cleaned_data.items() if name != "group" and value is not None}


class MeasureForm(forms.Form):
    """A capacity adjustment of all nodes, and a time that is past whose load is compared too."""

    over = forms.CharField(
        required=False,
        max_length=100,
        label="Load of the last",
        help_text="7d, 12h or 30m; or two times with / between them.",
    )
    capacity_adjustment = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=1,
        decimal_places=2,
        label="Adjustment of all nodes",
        help_text="From 0 to 1.",
        widget=ANY_DECIMAL,
    )

    def clean_over(self) -> str:
        over: str = self.cleaned_data["over"]
        try:
            if over:
                windows.parse(over, timezone.now())
        except ValidationError as error:
            raise ValidationError(error.messages) from None
        return over


AddedNodes = forms.formset_factory(AddedNodesForm, max_num=MOST_ROWS, absolute_max=MOST_ROWS)
Policies = forms.formset_factory(PolicyForm, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


class PlanForms:
    """All forms of a plan, with the choices in ``query``."""

    def __init__(self, query: QueryDict, nodes: Sequence[Instance], groups: Groups) -> None:
        data = with_rows(with_rows(query, AddedNodes, "add"), Policies, "policy")
        ordinary = [group for group in groups if not group.is_container_group]
        self.losses = LossForm(data, nodes, ordinary)
        self.added = AddedNodes(data, prefix="add", form_kwargs={"groups": ordinary})
        self.policies = Policies(data, prefix="policy", form_kwargs={"groups": ordinary})
        self.measures = MeasureForm(data)
        self.refusals: dict[str, list[str]] = {}  # the errors of the domain, by the field of ``Change``

    def is_valid(self) -> bool:
        valid = [each.is_valid() for each in (self.losses, self.added, self.policies, self.measures)]
        return all(valid)  # each has been validated, so that all errors are shown at once

    @property
    def has_errors(self) -> bool:
        return bool(self.refusals) or not self.is_valid()

    @property
    def over(self) -> str:
        over: str = self.measures.cleaned_data["over"]
        return over

    def change(self, members: Mapping[int, Sequence[Instance]]) -> Change:
        """What is chosen. Call ``is_valid()`` first."""
        remove, disable = self.losses.losses(members)
        return Change(
            remove=sorted(remove),
            disable=sorted(disable),
            add=[node for form in self.added if form.has_changed() for node in form.nodes()],
            capacity_adjustment=self.measures.cleaned_data["capacity_adjustment"],
            policies=self.changed_policies(),
        )

    def changed_policies(self) -> dict[str, dict[str, int]]:
        """By the name of each group what its rows say together."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for form in self.policies:
            if form.has_changed():
                found[form.cleaned_data["group"].name] |= form.policies()
        return found

    def refuse(self, error: ValidationError) -> None:
        """Show an error of the domain."""
        self.refusals = error.message_dict if hasattr(error, "error_dict") else {"plan": error.messages}


def with_rows(query: QueryDict, formset: type[Any], prefix: str) -> QueryDict:
    """The query with as many rows of the formset as it asks for: those that it has, and one more for ``more``.

    Of a field that it leaves out a row has the initial value.
    """
    data = query.copy()
    total = data.get(f"{prefix}-TOTAL_FORMS", "")
    rows = int(total) if re.fullmatch("[0-9]{1,4}", total) else 1
    rows = max(1, min(rows + (prefix in data.getlist("more")), MOST_ROWS))
    data[f"{prefix}-TOTAL_FORMS"], data[f"{prefix}-INITIAL_FORMS"] = str(rows), "0"
    for name, field in formset.form.base_fields.items():
        for row in range(rows):
            if field.initial is not None:
                data.setdefault(f"{prefix}-{row}-{name}", str(field.initial))
    return data


class WorkloadForm(forms.Form):
    """A job that might be launched, and the groups in the order in which they are tried."""

    kind = forms.ChoiceField(choices=UnifiedJob.Type.choices, initial=UnifiedJob.Type.JOB, label="Type")
    forks = forms.IntegerField(required=False, min_value=0, max_value=MOST_FORKS, help_text="Of its template; 0 is 5.")
    hosts = forms.IntegerField(required=False, min_value=0, max_value=MOST_FORKS, help_text="Of its inventory.")
    impact = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_FORKS, help_text="In place of forks and hosts."
    )
    count = forms.IntegerField(min_value=1, max_value=MOST_COPIES, initial=1, label="Copies at once")
    group = RecordsField(required=False)

    def __init__(self, data: QueryDict | None, groups: Groups) -> None:
        super().__init__(data, use_required_attribute=False)
        offer_records(self, ["group"], groups)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        sizes = [name for name in ("forks", "hosts") if found.get(name) is not None]
        if found.get("impact") is not None and sizes:
            self.add_error("impact", "Leave this empty where forks or hosts are given.")
        elif found.get("impact") is None and not sizes and found.get("kind") in IMPACT_BY_HOSTS and not self.errors:
            self.add_error("forks", "Enter the forks and the hosts, or the impact.")
        return found

    def workload(self) -> Workload:
        found = self.cleaned_data
        impact = found["impact"]
        if impact is None:
            impact = task_impact(found["kind"], found["forks"] or 0, found["hosts"])
        return Workload(found["kind"], impact)


class JobForm(forms.Form):
    """A stored job that waits."""

    job = forms.IntegerField(min_value=1, max_value=HIGHEST_ID, label="Its id")
