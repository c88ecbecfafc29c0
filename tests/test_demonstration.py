"""The demonstration mesh looks alive on the day it is loaded, and is the snapshot in all else."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from instances import demonstration
from instances.models import Instance, UnifiedJob

TOLD = json.loads(demonstration.SNAPSHOT.read_text(encoding="utf-8"))


def test_all_times_move_by_as_much() -> None:
    text = '{"a": "2026-01-01T00:00:00.000000Z", "b": ["2026-01-03T01:00:00.500000Z", "2026-01-03"]}'
    moved = json.loads(demonstration.shift_times(text, datetime(2028, 2, 29, 12, tzinfo=UTC)))
    assert moved == {"a": "2028-02-27T10:59:59.500000+00:00", "b": ["2028-02-29T12:00:00+00:00", "2026-01-03"]}


@pytest.mark.django_db
def test_it_was_seen_a_moment_ago_and_nothing_is_told_of_the_future() -> None:
    began = timezone.now()
    imported = demonstration.load()
    ended = timezone.now()
    assert (imported.instances, imported.jobs) == (len(TOLD["instances"]), len(TOLD["unified_jobs"]))
    seen = Instance.objects.filter(node_state="ready").values_list("last_seen", flat=True)
    assert began <= max(seen) <= ended
    assert began - min(seen) < timedelta(minutes=2)
    assert not UnifiedJob.objects.filter(modified__gt=ended).exists()
    for told in TOLD["instances"]:
        assert Instance.objects.get(pk=told["id"]).hostname == told["hostname"]
