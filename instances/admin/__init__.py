"""The administration at /admin/: Django's admin over the functions of the domain.

Who sees and changes what is the API's rule, not Django's permissions: staff see the records that the API shows them,
superusers change them, and whoever administers a group changes that. No page saves a model for which the domain has
rules: forms and actions call ``lifecycle``, ``groups``, ``tokens`` and so on.

base.py        what all pages share: rights, refusals as messages, pages that ask before something is done
forms.py       forms whose values are checked by the domain
show.py        how names, times, shares and states are shown
lists.py       filters, and lists of records that are too many to be counted
site.py        the site and its first page, with overview.py
nodes.py       instances, with removal.py: what ends where they are removed
links.py       their links        membership.py  groups, roles and users
jobs.py        AWX's jobs         queue.py    background jobs    secrets.py     tokens of users and of nodes
state.py       the mirror, and the looks at the mesh
"""

from instances.admin import jobs, links, membership, nodes, queue, secrets, state

__all__ = ["jobs", "links", "membership", "nodes", "queue", "secrets", "state"]
