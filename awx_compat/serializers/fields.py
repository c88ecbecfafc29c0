"""Fields that parse values as AWX does: unlike in DRF, an empty value of any kind counts as the type's empty value."""

from typing import Any

from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.fields import empty

from instances.models import Instance, ReceptorAddress, User
from instances.models.fields import HIGHEST_ID


class BooleanField(serializers.BooleanField):
    """A boolean, false where the request has null or an empty text."""

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(False if data is None or data == "" else data)


class ChoiceField(serializers.ChoiceField):
    """One of several values. Empty values of any kind count as the empty text, which is not a choice."""

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(data or "")


class CharField(serializers.CharField):
    """A text. Empty values of other kinds count as the empty text, which is passed to the validators."""

    def run_validation(self, data: Any = empty) -> Any:
        if data or data == "":
            return super().run_validation(data)
        self.run_validators("")
        return ""


ENCRYPTED = "$encrypted$"  # in place of every password


class PasswordField(CharField):
    """A password to set. It is never shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_blank=True, trim_whitespace=False, style={"input_type": "password"}, **options)

    def to_representation(self, stored: str) -> str:
        return ENCRYPTED


class UsernameField(CharField):
    """A username, in the form that a login looks for: with compatible characters as one (Unicode's NFKC)."""

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


NOT_A_LIST = 'Expected a list of items but got type "{input_type}".'
NO_ID = "Incorrect type. Expected pk value, received {data_type}."


class HostnamesField(serializers.Field[Any, Any, Any, Any]):
    """The hostnames of the peers; a request may name existing nodes, and repeat names."""

    default_error_messages = {
        "not_a_list": NOT_A_LIST,
        "does_not_exist": "Object with hostname={hostname} does not exist.",
    }

    def to_representation(self, hostnames: list[str]) -> list[str]:
        return hostnames

    def to_internal_value(self, data: Any) -> list[Instance]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        hostnames = [str(hostname) for hostname in data]
        findable = [hostname for hostname in hostnames if "\0" not in hostname]
        found = Instance.objects.filter(hostname__in=findable).select_related("canonical_address")
        peers = {peer.hostname: peer for peer in found}
        for hostname in hostnames:
            if hostname not in peers:
                self.fail("does_not_exist", hostname=hostname)
        return list(peers.values())


class IdsField(serializers.ReadOnlyField):
    """A list of ids."""


class AddressesField(serializers.Field[Any, Any, Any, Any]):
    """The ids of the addresses of peers; a request may give them as texts, too."""

    default_error_messages = {
        "not_a_list": NOT_A_LIST,
        "does_not_exist": 'Invalid pk "{pk_value}" - object does not exist.',
        "incorrect_type": NO_ID,
    }

    def to_representation(self, ids: list[int]) -> list[int]:
        return ids

    def to_internal_value(self, data: Any) -> list[ReceptorAddress]:
        if isinstance(data, dict):
            raise ParseError(["Cannot use dictionary for peers"])
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        ids = [self.id_of(given) for given in data]
        stored = ReceptorAddress.objects.select_related("instance")
        found = stored.in_bulk([pk for pk in ids if pk is not None and abs(pk) <= HIGHEST_ID])
        for given, pk in zip(data, ids, strict=True):
            if pk is None and given is not None:
                self.fail(
                    "incorrect_type", data_type="OrderedDict" if isinstance(given, dict) else type(given).__name__
                )
            if pk not in found:
                self.fail("does_not_exist", pk_value=given)
        return [found[pk] for pk in ids if pk is not None]

    @staticmethod
    def id_of(given: Any) -> int | None:
        """The id that was given; None where it is none."""
        try:
            return None if isinstance(given, bool) else int(given)
        except (TypeError, ValueError, OverflowError):
            return None


FIELDS_OF_COLUMNS = {
    **serializers.ModelSerializer.serializer_field_mapping,
    models.BooleanField: BooleanField,
    models.CharField: CharField,
    models.TextField: CharField,
}
