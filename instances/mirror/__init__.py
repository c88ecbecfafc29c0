"""Writing a mirror of a live AWX: a copy of its instances, links, groups, users and jobs.

``reported.py``: the columns that AWX reports. ``records.py``: the records that were read, and their rows; of jobs,
``jobs.py``. ``left_out.py``: the records that cannot be stored. ``differences.py``: the rows to insert, update and
delete. ``writing.py``: writing them in one transaction. ``baseline.py``: the load that does not come from copied jobs.
``history.py``: copying the jobs that have ended. ``guard.py``: the triggers that refuse all other changes.
``draining.py``: what drains want of the AWX. ``spoken.py``: the version of AWX that a mirror speaks as.
``awx_compat/awx_client/`` reads from AWX; nothing here uses HTTP.
"""
