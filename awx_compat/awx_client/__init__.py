"""Reading a live AWX over its public API, for ``manage.py sync_awx``: what is read is written by ``instances.mirror``.

``client.py`` asks, and asks again where that helps, within ``limits.py``, and fails as ``errors.py`` says;
``reading.py`` knows which lists make up a mesh, and ``rights.py`` which ones tell the rights on groups; ``copying.py``
goes through the jobs that have ended; ``syncing.py`` is one sync from its beginning to its end, and ``progress.py``
what it tells meanwhile.
"""
