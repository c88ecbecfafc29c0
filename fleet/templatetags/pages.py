"""Filters and tags of the pages' templates: times and sizes in words, marks, bars."""

from decimal import Decimal
from typing import Any

from django import template
from django.urls import reverse

from instances import overview
from instances.models import Instance
from instances.text import ago, exact, gibibytes, isolated, visible

register = template.Library()
for each in (ago, exact, gibibytes, visible, isolated):
    register.filter(each)


@register.filter
def standing(instance: Instance) -> overview.Standing:
    return overview.standing(instance)


@register.filter
def state_in_words(instance: Instance) -> str:
    return overview.state_in_words(instance)


@register.filter
def no_capacity_in_words(instance: Instance) -> str:
    return overview.no_capacity_in_words(instance)


@register.simple_tag(takes_context=True)
def node_address(context: dict[str, Any], pk: int) -> str:
    """The address of a node's page, with the query string of this page, for the link back to it."""
    query = context["request"].GET.urlencode()
    return reverse("node", args=[pk]) + (f"?{query}" if query else "")


@register.filter
def plain(number: Decimal) -> str:
    """A decimal without trailing zeros."""
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


@register.inclusion_tag("pages/mark.html")
def mark(standing: str) -> dict[str, Any]:
    """The shape of a standing. The template must show the standing's name beside it."""
    return {"standing": standing}


@register.inclusion_tag("pages/bar.html")
def bar(percent: float, width: int = 100) -> dict[str, Any]:
    """A bar of a share in use, in percent. The template must show the numbers beside it."""
    level = "over" if percent > 100 else "high" if percent >= 80 else "usual"
    return {"filled": round(min(100.0, percent), 1), "level": level, "width": width}


@register.filter
def share(part: float) -> str:
    """A part from 0 to 1 as a percentage to one place."""
    return f"{part:.1%}"


@register.simple_tag
def before_after(before: object, after: object) -> str:
    """Both values, or one where they are the same."""
    return str(before) if before == after else f"{before} \u2192 {after}"
