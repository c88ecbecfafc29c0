"""``python -m tests.releases``: store a dump of a database of this version, for ``tests/test_upgrade.py``.

To be run once for each release. The file has the name of the last migration.
"""

import gzip
import io
import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
django.setup()

from tests.releases import dumping  # noqa: E402 - models can be imported from here on
from tests.service import DATASET, connected_to, new_database  # noqa: E402

with new_database() as url, connected_to(url):
    call_command("migrate", verbosity=0)
    call_command("import_awx", str(DATASET), stdout=io.StringIO())
    dumping.fill()
    dumping.remove_jobs()
    path = dumping.RELEASES / f"{dumping.MIGRATIONS[-1]}.sql.gz"
    path.write_bytes(gzip.compress(dumping.dump(url).encode(), mtime=0))
    print(path)
