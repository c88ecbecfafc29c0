"""Parts that several bodies share, and the bodies that are not those of one kind of records."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

# A path on this service. No URI reference: names stand in it as they are, with their spaces.
PATH = {"type": "string"}


@extend_schema_field(PATH)
class PathField(serializers.CharField):
    """A path on this service."""


class MessageSerializer(serializers.Serializer[Any]):
    """What became of the request."""

    msg = serializers.CharField(help_text="The same, in words.")


class MembershipSerializer(serializers.Serializer[Any]):
    """Which record is put into the list, or taken out of it."""

    id = serializers.IntegerField(min_value=1, help_text="The id of the record.")
    disassociate = serializers.BooleanField(default=False, help_text="Whether to take it out.")


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """What the user who asks may do with the record."""

    edit = serializers.BooleanField(help_text="Whether to change it.")
    delete = serializers.BooleanField(help_text="Whether to delete it.")


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list."""

    count = serializers.IntegerField(min_value=0, help_text="Records on all pages.")
    next = serializers.CharField(allow_null=True, help_text="Path of the next page; null on the last.")
    previous = serializers.CharField(allow_null=True, help_text="Path of the page before; null on the first.")


class EmptyPageSerializer(PageSerializer):
    """A list of what AWX keeps and this service does not."""

    results = serializers.ListField(child=serializers.DictField(), max_length=0, help_text="Nothing.")


def only_page(results: list[Any]) -> dict[str, Any]:
    """The body of a list that is never longer than a page."""
    return {"count": len(results), "next": None, "previous": None, "results": results}
