"""The settings of ``awx-instances demo``: for this machine alone, with a generated key and values for a demo mesh."""

import os
import secrets
from pathlib import Path

from settings import env

data_dir = Path(os.environ.get("DATA_DIR") or env.default_data_dir())
secret_key = data_dir / "secret_key"
try:
    if not secret_key.exists() or not secret_key.read_text():  # a full disk left it empty
        data_dir.mkdir(parents=True, exist_ok=True)
        secret_key.touch(mode=0o600)
        secret_key.write_text(secrets.token_urlsafe(50))
except OSError as error:
    raise env.SettingsError(
        f"{error.filename or data_dir}: {error.strerror}; correct this, or set DATA_DIR to another folder."
    ) from None
if not os.environ.get("SECRET_KEY"):
    os.environ.setdefault("SECRET_KEY_FILE", str(secret_key))
os.environ.setdefault("CLUSTER_HOST_ID", "control-1.demo")
os.environ.setdefault("IS_K8S", "true")
os.environ.setdefault("HEALTH_PROBE", "local")

from settings.base import *

DEMO = True
