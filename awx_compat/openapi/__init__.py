"""The OpenAPI document of /api/schema/: what the views, serializers and filters declare, and what all of them share.

A view declares by ``extend_schema`` what cannot be read off it; a serializer describes the fields of its body. In the
``Meta`` of serializers of records the document also reads ``description``, of the record; ``descriptions``, of fields
for which OPTIONS tells no help; ``types``, of fields that do not tell theirs; ``optional``, fields that not every
record has; and ``only_on_creation``, fields that no PATCH changes. Here are rules that hold for all of them:

schema.py       reads a view: parameters, bodies, refusals, names. drf-spectacular's hooks are here.
parameters.py   AWX's filter language, from the declaration in ``awx_compat.filters``.
errors.py       refusals: those of all operations, and what a view declares its own with.
fields.py       the kinds of fields that AWX's records have beside DRF's.
descriptions.py texts of tags, of paths and of the whole.
examples.py     values that are shown beside the bodies.
security.py     the ways to authenticate.
serving.py      the document, made once, and the pages that show it.

Not in the document are the HTML forms at /api/login/ and below /api/o/ (django-oauth-toolkit's): they are pages for
browsers, their answers are redirects and HTML, and a client gets its token from /api/v2/tokens/.

``tests/test_openapi.py`` holds the document against recorded answers.
"""
