"""The planning page that says whether a job would run, and why a stored one waits. Its forms are sent by GET."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fleet.pages.planning_forms import JobForm, WorkloadForm
from fleet.pages.views import common_context
from instances.models import InstanceGroup, UnifiedJob
from instances.planning.fit import Fit
from instances.planning.fit_on_mesh import fit_of_job, fit_of_workload
from instances.reader import Reader

CHOICES = 4  # of groups, one after the other
MOST_NODES = 200  # of a group that are listed
NO_JOB = "No job has this id, or you may not see it."


@require_safe
@never_cache
@login_required
def fit(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    groups = list(InstanceGroup.objects.visible_to(user.reader).order_by("name"))
    is_of_job = "job" in request.GET
    job_form = JobForm(request.GET if is_of_job else None)
    form = WorkloadForm(None if is_of_job else request.GET or None, groups)
    context = {
        **common_context(request),
        "tab": "fit",
        "form": form,
        "job_form": job_form,
        "groups": groups,
        "chosen": chosen(request.GET.getlist("group")),
        "answer": answer_for_job(user.reader, job_form) or answer_for_workload(user.reader, form),
        "most_nodes": MOST_NODES,
    }
    return render(request, "pages/fit.html", context)


def chosen(values: list[str]) -> list[str]:
    """The group chosen in each of the fields, "" for none; one more field than there are choices."""
    values = [each for each in values if each]
    return [*values, *[""] * max(1, CHOICES - len(values))]


def answer_for_job(reader: Reader, form: JobForm) -> Fit | None:
    if not form.is_valid():
        return None
    try:
        return fit_of_job(reader, form.cleaned_data["job"])
    except UnifiedJob.DoesNotExist:
        form.add_error("job", NO_JOB)
        return None


def answer_for_workload(reader: Reader, form: WorkloadForm) -> Fit | None:
    if not form.is_valid():
        return None
    found = form.cleaned_data
    try:
        return fit_of_workload(reader, form.workload(), found["count"], [each.name for each in found["group"]])
    except ValidationError as error:
        form.add_error("group", error.messages)
        return None
