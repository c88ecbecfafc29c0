"""The administration at /admin/: Django's admin over the functions of the domain.

The API's rules decide who may see and change records, not Django's permissions: staff see the records that the API
shows them, superusers change them, and administrators of a group change the group. No page saves a model for which the
domain has rules: forms and actions call ``lifecycle``, ``groups``, ``tokens`` and so on.

base.py        base classes of all pages: rights, errors as messages, confirmation pages
forms.py       forms whose values are checked by the domain
show.py        HTML of names, times, shares and states
lists.py       filters, and lists without a count
site.py        the site and its first page, with overview.py
nodes.py       instances, with removal.py: how they are removed, and what ends then
drains.py      draining nodes, and the drains that were
addresses.py   the addresses at which they are dialled, and links.py: the links that lead there
membership.py  groups, roles and users
jobs.py        AWX's jobs         queue.py    background jobs    secrets.py     tokens of users and of nodes
state.py       the mirror, and the mesh inspections
"""

from instances.admin import addresses, drains, jobs, links, membership, nodes, queue, secrets, state

__all__ = ["addresses", "drains", "jobs", "links", "membership", "nodes", "queue", "secrets", "state"]
