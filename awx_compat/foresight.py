"""One statement for who asks and for what is asked for.

Which record a reader sees depends on the reader, so it could be asked for only once the credentials are known to hold.
But whose they were the last time is a good guess: with it the view's question is put into the statement that checks the
credentials. The guess is not trusted: a view that knows who asks compares its question with the one that was put, and
puts it again if it is another.
"""

from collections.abc import Callable, Hashable
from typing import Any

from rest_framework.request import Request

from awx_compat.unchanged import Basis
from instances.models import User
from instances.prepared import Asked, both
from instances.rows import Row

MOST = 1000  # credentials; beyond that all are forgotten
last_readers: dict[Hashable, User] = {}


def reader(is_superuser: bool, is_system_auditor: bool, pk: int) -> User:
    """All of a user that decides what the user sees."""
    return User(pk=pk, is_superuser=is_superuser, is_system_auditor=is_system_auditor)


def who_asks(request: Request, key: Hashable, who: Callable[[], Asked], user_of: Callable[[Any], User]) -> Any:
    """The record that the question ``who()`` finds, or None; ``user_of`` it is who asks.

    ``key``: what the credentials are known by. It is kept, so it must not be what is secret of them.
    """
    view, guess = request.parser_context["view"], last_readers.get(key)
    foreseen = view.foreseen(guess) if guess is not None and request.method == "GET" else None
    if foreseen is None:
        row = who().row()
    else:
        row, answer = both(who(), foreseen)
        view.foretold(who, row, foreseen, answer)
    if row is None:
        return None
    user = user_of(row.record)
    if guess is None or rank_of(guess) != rank_of(user):
        remember(key, user)
    return row.record


def rank_of(user: User) -> tuple[int, bool, bool]:
    return user.pk, user.is_superuser, user.is_system_auditor


def remember(key: Hashable, user: User) -> None:
    if len(last_readers) >= MOST:
        last_readers.clear()
    last_readers[key] = reader(user.is_superuser, user.is_system_auditor, user.pk)


class Foreseeing:
    """Mixed into views: what they ask may have been asked already."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.answers: dict[Asked, Row | None] = {}
        self.basis: Basis | None = None  # of what GET tells, if that is the record of the path and nothing else

    def foretold(self, who: Callable[[], Asked], asker: Row | None, question: Asked, answer: Row | None) -> None:
        self.answers[question] = answer
        self.basis = Basis(who, question, [asker, answer])

    def foreseen(self, reader: User) -> Asked | None:
        """What GET will ask if ``reader`` is who asks; None where that is not known before."""
        return None

    def answer(self, question: Asked) -> Row | None:
        if question in self.answers:
            return self.answers.pop(question)
        self.basis = None  # what is told was not read together with who asks
        return question.row()
