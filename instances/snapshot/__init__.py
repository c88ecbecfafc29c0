"""Snapshots: the records of an AWX in one JSON file, read into the database.

A snapshot is an object with the lists ``users``, ``instances``, ``instance_links``, ``instance_groups`` and
``unified_jobs``, each of records in the shape of AWX's API; a list that is missing counts as empty. One of AWX 24 has
``receptor_addresses`` as well, to which its links lead; in others they lead to instances. The file is read once, piece
by piece, so that its size is bounded by the disk and not by memory.
"""

from instances.snapshot.importing import Imported, import_snapshot
from instances.snapshot.problems import SnapshotError

__all__ = ["Imported", "SnapshotError", "import_snapshot"]
