"""Messages that more than one of the API, the administration and the commands show, each once."""

BUSY = "The database is too busy; nothing was changed. Try again."
STALE = "The record was changed since you read it; nothing was changed now."
CONFLICT = "The change conflicts with one that was made at the same moment; nothing was changed now."
NO_PROBE = "Health checks are not set up: HEALTH_PROBE names no way to do them."
NO_MIRROR = "This service is no mirror."
GROUP_IN_USE = "Resource is being used by running jobs."  # AWX's words
