"""Reading a live AWX over its public API, for ``manage.py sync_awx``: what is read is written by ``instances.mirror``.

``client.py`` sends requests, and retries those that may succeed later, within ``limits.py``, below the path that
``roots.py`` finds; ``responses.py`` reads bodies, and ``errors.py`` has the errors. ``reading.py`` reads the lists
that make up a mesh, ``consistency.py`` checks that they fit together, ``rights.py`` derives the rights on groups,
``copying.py`` copies the jobs that have ended. ``draining.py`` sends what drains want of the AWX, the only change that
is made there. ``syncing.py`` is one sync from its beginning to its end, and ``progress.py`` its output.
"""
