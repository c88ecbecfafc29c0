"""Why an AWX could not be read."""


class SourceError(Exception):
    """AWX could not be read; the message says why, without any secret. ``exit_code`` is that of the command."""

    exit_code = 1


class AccessRefusedError(SourceError):
    """AWX does not know who asks, or does not let them see everything."""

    exit_code = 3


class NotAWXError(SourceError):
    """What answers is no AWX that this service knows."""

    exit_code = 4


class UnreachableError(SourceError):
    """Nothing useful came back; a later attempt may do better."""

    exit_code = 5

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FailingError(UnreachableError):
    """AWX itself answers, after several attempts, that it failed: which may be for one record alone."""


class ChangingError(SourceError):
    """AWX's records changed while they were read, so that they do not fit together."""

    exit_code = 5


class RetryLaterError(SourceError):
    """AWX wants to be left alone, for more ``seconds`` than a request waits."""

    exit_code = 5

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class LimitError(SourceError):
    """AWX tells more, or takes longer, than a sync may; whoever runs it decides whether that is right."""

    exit_code = 7


class StoppedError(Exception):
    """Somebody asked to stop."""
