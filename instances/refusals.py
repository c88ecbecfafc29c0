"""Why the domain or the database refused a change, in words: for forms and messages of pages."""

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, IntegrityError, OperationalError
from psycopg.errors import QueryCanceled

from instances import database
from instances.addresses import TakenAddressError
from instances.drains import NOT_DRAINING, DrainRefusedError
from instances.locking import StaleError
from instances.messages import BUSY, CONFLICT, STALE
from instances.mirror import guard
from instances.models import Drain

ERRORS = (
    ValidationError,
    StaleError,
    TakenAddressError,
    DrainRefusedError,
    DatabaseError,
    ObjectDoesNotExist,
)


def reason_of(error: Exception) -> str:
    """The message of an error by which the domain or the database refused a change; raises any other error."""
    if database.is_away(error):
        raise error
    if refused := guard.error_message(error):
        return refused
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, StaleError):
        return STALE
    if isinstance(error, Drain.DoesNotExist):
        return NOT_DRAINING
    if isinstance(error, TakenAddressError | DrainRefusedError):
        return str(error)
    if isinstance(error.__cause__, QueryCanceled) or isinstance(error, OperationalError):
        return BUSY
    if isinstance(error, IntegrityError | ObjectDoesNotExist):
        return CONFLICT
    raise error
