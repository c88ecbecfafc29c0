"""Protection against guessing passwords: after too many wrong ones, logins are locked for a while.

Three counts, each of LOGIN_FAILURE_WINDOW seconds from its first failure:

- of a name from an address (LOGIN_FAILURE_LIMIT): a script with a wrong password stops itself, and nobody else;
- of a name from anywhere (…_BY_NAME): many machines that guess one password;
- of an address for any name (…_BY_ADDRESS): one machine that tries a few passwords with many names.

The last two do not count against a name from an address where it gave the right password within KNOWN_FOR: so nobody is
shut out by what others do elsewhere, or by others behind the same address. Names count whether there is such a user or
not. What is refused is not counted.
"""

import time
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.utils.crypto import salted_hmac

from instances import audit
from instances.models import LoginFailures

KNOWN_FOR = 30 * 24 * 3600  # seconds
RENEWED_AFTER = 24 * 3600  # likewise; sooner it is not written again
ANY = ""
UNKNOWN = "-"  # the address of a client on a Unix socket, unless a proxy forwards it
MOST_LOCKOUTS = 10_000  # lockouts that a process caches; beyond that the cache is cleared
REMEMBERED_FOR = 5  # seconds for which a lockout is cached; then the database is queried again
SWEPT = 100  # rows at most that are deleted at once

Key = tuple[str, str]  # a name's digest and an address

READ = """
    SELECT name, address, failures, EXTRACT(EPOCH FROM until - now())::float8, coalesce(known_until > now(), false)
    FROM instances_loginfailures WHERE (name, address) IN ((%s, %s), (%s, ''), ('', %s))
"""
# In the order of the keys, so that no two wait for each other.
COUNT = """
    INSERT INTO instances_loginfailures AS kept (name, address, failures, until)
    SELECT name, address, 1, now() + make_interval(secs => %s)
    FROM unnest(%s::text[], %s::text[]) AS key (name, address)
    ORDER BY name, address
    ON CONFLICT (name, address) DO UPDATE SET
        failures = CASE WHEN kept.until > now() THEN kept.failures + 1 ELSE 1 END,
        until = CASE WHEN kept.until > now() THEN least(kept.until, excluded.until) ELSE excluded.until END
    RETURNING name, address, failures
"""
KNOW = """
    INSERT INTO instances_loginfailures AS kept (name, address, failures, until, known_until)
    VALUES (%s, %s, 0, now(), now() + make_interval(secs => %s))
    ON CONFLICT (name, address) DO UPDATE SET failures = 0, known_until = excluded.known_until
    WHERE kept.failures > 0 OR kept.known_until IS NULL OR kept.known_until < now() + make_interval(secs => %s)
"""
PAST = "until < now() AND (known_until IS NULL OR known_until < now())"
SWEEP = f"""
    DELETE FROM instances_loginfailures WHERE id IN (
        SELECT id FROM instances_loginfailures WHERE {PAST} LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""  # noqa: S608 - made of the line above


def is_past() -> RawSQL:
    """The condition of rows that count for nothing any more, neither as failures nor as a known address."""
    return RawSQL(PAST, [], output_field=BooleanField())  # noqa: S611 # nosec B611 - a constant


class LockedError(Exception):
    """No password is tried for this name from this address before ``wait`` seconds have passed."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = max(1, round(wait))


NEVER = (0.0, 0.0)
# The lockouts that this process caches: when the entry expires and when the lockout ends, by the monotonic clock.
lockouts: dict[Key, tuple[float, float]] = {}


def digest(username: str) -> str:
    text = username.encode("utf-8", "surrogatepass")
    return salted_hmac("instances.guessing", text, algorithm="sha256").hexdigest()


@lru_cache(maxsize=1000)
def network_of(address: str) -> str:
    """The address that failures are counted for: of IPv6 its /64 network, whose addresses all belong to one owner."""
    try:
        found = ip_address(address)
    except ValueError:
        return UNKNOWN
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))


def is_locked_out(username: str, address: str) -> bool:
    """Whether a lockout of ``username`` from ``address`` is cached in this process and has not ended. No query."""
    if not lockouts:
        return False
    _, until = lockouts.get((digest(username), network_of(address)), NEVER)
    return time.monotonic() < until


class Attempt:
    """One try to give the password of ``username`` from ``address``: ``begin``, then ``fail`` or ``succeed``."""

    def __init__(self, username: str, address: str) -> None:
        self.username = username
        self.name, self.place = self.key = digest(username), network_of(address)
        self.masked = 0.0  # seconds for which others are refused, where this one is not

    def limits(self) -> dict[Key, int]:
        limits = {self.key: settings.LOGIN_FAILURE_LIMIT, (self.name, ANY): settings.LOGIN_FAILURE_LIMIT_BY_NAME}
        if self.place != UNKNOWN:
            limits[ANY, self.place] = settings.LOGIN_FAILURE_LIMIT_BY_ADDRESS
        return limits

    def raise_if_locked(self) -> None:
        """Raise LockedError if this process has cached a lockout of this name and address. No query."""
        now = time.monotonic()
        believed_until, until = lockouts.get(self.key, NEVER)
        if now < min(believed_until, until):
            raise LockedError(until - now)

    def begin(self) -> None:
        """Raise LockedError if no password is to be tried. One query."""
        limits = self.limits()
        with connection.cursor() as cursor:
            cursor.execute(READ, [self.name, self.place, self.name, self.place])
            rows = cursor.fetchall()
        is_known = any(known for name, address, *_, known in rows if (name, address) == self.key)
        waits = {
            (name, address): seconds
            for name, address, failures, seconds, _ in rows
            if 0 < seconds <= settings.LOGIN_FAILURE_WINDOW  # longer, if the clock was set back since: it has ended
            and failures >= limits.get((name, address), failures + 1)
        }
        self.masked = max(waits.values(), default=0)
        if not waits or (is_known and self.key not in waits):
            lockouts.pop(self.key, None)
            return
        now = time.monotonic()
        if len(lockouts) >= MOST_LOCKOUTS:
            lockouts.clear()
        lockouts[self.key] = now + REMEMBERED_FOR, now + self.masked
        raise LockedError(self.masked)

    def fail(self) -> None:
        """Count the failure. Raises LockedError where unknown names are locked, so as not to reveal known ones."""
        limits = self.limits()
        names, addresses = zip(*limits, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [settings.LOGIN_FAILURE_WINDOW, list(names), list(addresses)])
            counts = {(name, address): failures for name, address, failures in cursor.fetchall()}
            if 1 in counts.values():
                cursor.execute(SWEEP, [SWEPT])
        for (name, address), failures in counts.items():
            if failures == limits[name, address]:
                audit.log_failure("login locked", user=self.username if name else "*", address=address or "*")
        if self.masked:
            raise LockedError(self.masked)

    def succeed(self) -> None:
        """Reset the failures of this name from this address, and remember the address as known for the name."""
        with connection.cursor() as cursor:
            cursor.execute(KNOW, [self.name, self.place, KNOWN_FOR, KNOWN_FOR - RENEWED_AFTER])


def unlock(username: str | None = None, address: str | None = None) -> int:
    """Reset the failures of a name, of an address, or of both together; of all without either. Returns how many.

    Serving processes notice it within REMEMBERED_FOR seconds.
    """
    chosen = Q(failures__gt=0)
    if username is not None:
        chosen &= Q(name=digest(username))
    if address is not None:
        chosen &= Q(address=network_of(address))
    return LoginFailures.objects.filter(chosen).update(failures=0)
