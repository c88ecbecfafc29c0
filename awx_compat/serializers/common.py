"""Serializers that several bodies share, and bodies that are not of one kind of records."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

# A path on this service. Not a URI reference: names are not percent-encoded and may have spaces.
PATH = {"type": "string"}


@extend_schema_field(PATH)
class PathField(serializers.CharField):
    """A path on this service."""


class MessageSerializer(serializers.Serializer[Any]):
    """The result of the request."""

    msg = serializers.CharField(help_text="A message that describes the result.")


class MembershipSerializer(serializers.Serializer[Any]):
    """The record to associate or disassociate."""

    id = serializers.IntegerField(min_value=1, help_text="The id of the record.")
    disassociate = serializers.BooleanField(
        default=False, help_text="Whether to disassociate the record; otherwise it is associated."
    )


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """The actions that the requesting user may perform on the record."""

    edit = serializers.BooleanField(help_text="Whether the user may change the record.")
    delete = serializers.BooleanField(help_text="Whether the user may delete the record.")


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list."""

    count = serializers.IntegerField(min_value=0, help_text="Records on all pages.")
    next = serializers.CharField(allow_null=True, help_text="Path of the next page; null on the last.")
    previous = serializers.CharField(allow_null=True, help_text="Path of the previous page; null on the first.")


class EmptyPageSerializer(PageSerializer):
    """A list of records that AWX stores and this service does not."""

    results = serializers.ListField(child=serializers.DictField(), max_length=0, help_text="Always empty.")


def only_page(results: list[Any]) -> dict[str, Any]:
    """The body of a list that is never longer than a page."""
    return {"count": len(results), "next": None, "previous": None, "results": results}
