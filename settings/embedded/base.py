"""The module that Django looks for in a database backend."""

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from settings import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL's backend, which starts the embedded server before the first connection."""

    def get_connection_params(self) -> dict[str, Any]:
        if not self.settings_dict["HOST"]:
            self.settings_dict.update(HOST=embedded.start(settings.DATA_DIR), PORT=embedded.PORT, USER=embedded.USER)
        return super().get_connection_params()
