"""Whether the nodes of the mesh are reachable and healthy.

Source: docs/awx-behaviour.md, "Heartbeats and lost nodes", "Health checks".

``rules``: tolerances and states. ``report``: the report of a node, and parsing it. ``probes``: asking a node for its
report. ``receptor``: commands to this node's Receptor. ``work``: running the check on a node through it.
``refusals``: the faults behind Receptor's words. ``recording``: what follows from a report. ``checks``: a health check
from its start to its end. ``mesh_view``: what Receptor answers to its command ``status``. ``mesh``: the inspection of
all nodes: who was seen, lost and recovered. ``graph``: which nodes are cut off by which. ``watch``: the inspections
of all control nodes, taken together. ``conditions``: all of it as typed conditions. ``draining``: those that follow
from a drain. ``periodic``: what a worker does regularly.
"""
