"""Snapshots: the records of an AWX in one JSON file, read into the database, and written from it.

A snapshot is an object with the lists ``users``, ``instances``, ``instance_links``, ``instance_groups`` and
``unified_jobs``, each of records in the shape of AWX's API; a list that is missing counts as empty. One of AWX 24 has
``receptor_addresses`` as well, to which its links lead; in others they lead to instances. The file is read once, piece
by piece, so that its size is bounded by the disk and not by memory.

Users may have ``password`` and ``token`` in plain text. An export has ``password_hash`` in their place, and the list
``tokens`` with SHA-256s. ``tables.py`` declares for both directions which record fills which columns.
"""

from instances.snapshot.exporting import export_snapshot, number_of_records
from instances.snapshot.importing import Imported, import_snapshot
from instances.snapshot.problems import SnapshotError

__all__ = ["Imported", "SnapshotError", "export_snapshot", "import_snapshot", "number_of_records"]
