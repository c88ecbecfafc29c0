"""The OpenAPI document of /api/schema/: what the views, serializers and filters declare, and what they cannot say.

schema.py       reads a view: parameters, bodies, refusals, names. drf-spectacular's hooks are here.
operations.py   the bodies of views that make them without a serializer.
bodies.py       the shapes of those bodies.
parameters.py   AWX's filter language, from the declaration in ``awx_compat.filters``.
errors.py       the bodies of refusals.
fields.py       the kinds of fields that AWX's records have beside DRF's.
descriptions.py texts of fields that have no help text, and of tags and the whole.
examples.py     what is shown beside the bodies.
security.py     the ways to authenticate.
serving.py      the document, made once, and the pages that show it.

Only the document's generation imports these, but for ``serving``, and ``descriptions``, which the pages of the API show
too. ``tests/test_openapi.py`` holds the document against recorded answers.
"""
