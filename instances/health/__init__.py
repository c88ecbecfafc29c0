"""Whether the nodes of the mesh are there and well.

Source: docs/awx-behaviour.md, "Heartbeats and lost nodes", "Health checks".

``rules``: tolerances and states. ``report``: what a node tells of itself, and reading it. ``probes`` and ``receptor``:
asking a node. ``recording``: what follows from a report. ``checks``: a health check from its start to its end.
``mesh``: who was seen, lost and found. ``graph``: who is cut off by whom. ``conditions``: all of it, typed. ``keeper``:
what a worker does regularly.
"""
