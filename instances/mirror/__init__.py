"""A mirror of a live AWX: its instances, links, groups, users and jobs are told here as AWX tells them.

``reported.py`` declares what AWX tells of each record; ``records.py`` is what was read of it, made rows;
``left_out.py`` names the records that cannot be; ``writing.py`` makes the database equal to it, in one transaction;
``differences.py`` finds what that needs; ``baseline.py`` carries the load that the copied jobs do not explain;
``history.py`` copies the jobs that have ended; ``guard.py`` keeps everybody else from changing what is mirrored.
Who asks AWX is ``awx_compat/awx_client/``: nothing here knows HTTP.
"""
