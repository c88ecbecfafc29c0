"""The errors of a sync that reads an AWX."""


class SourceError(Exception):
    """AWX could not be read; the message says why, without any secret. ``exit_code`` is that of the command."""

    exit_code = 1


class AccessRefusedError(SourceError):
    """AWX refuses the credentials, or their user may not see everything."""

    exit_code = 3


class NotAWXError(SourceError):
    """The server at the address is no AWX of a version that can be mirrored."""

    exit_code = 4


class UnreachableError(SourceError):
    """There was no usable response; a later attempt may succeed. ``retry_after``: seconds to wait before it."""

    exit_code = 5

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FailingError(UnreachableError):
    """AWX answered with a server error, after several attempts too: possibly for one record alone."""


class ChangeRefusedError(SourceError):
    """AWX does not take a change of a record, for its own rules."""


class ChangingError(SourceError):
    """AWX's records changed while they were read, so that they do not fit together."""

    exit_code = 5


class RetryLaterError(SourceError):
    """``Retry-After`` of AWX is longer than a request waits, ``seconds``."""

    exit_code = 5

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class LimitError(SourceError):
    """AWX has more data, or takes longer, than the settings MIRROR_MAX_… allow; the operator may raise them."""

    exit_code = 7


class StoppedError(Exception):
    """The sync was stopped, as by a signal."""
