"""The OpenAPI document of /api/schema/, made from the declarations of views, serializers and filters.

A view declares by ``extend_schema`` what does not follow from its code; a serializer describes the fields of its body.
From the ``Meta`` of records' serializers the document also takes ``description``, of the record; ``descriptions``, of
fields without a help text in OPTIONS; ``types``, of fields whose type does not follow from their class; ``optional``,
fields that not every record has; ``has_further_fields``, whether there are more than the document names; and
``only_on_creation``, fields that no PATCH changes. This package has the rules that apply to all of them:

schema.py       reads a view: parameters, bodies, error responses, names. drf-spectacular's hooks are here.
parameters.py   AWX's filter language, from the declaration in ``awx_compat.filters``.
errors.py       error responses: those of all operations, and the class by which a view declares its own.
fields.py       the kinds of fields that AWX's records have beside DRF's.
descriptions.py texts of tags and paths, and the introduction.
examples.py     example values of bodies.
security.py     the authentication schemes.
serving.py      the document, generated once, and the pages that show it.

Not in the document are the HTML forms at /api/login/ and below /api/o/ (django-oauth-toolkit's): they are pages for
browsers, their answers are redirects and HTML, and a client gets its token from /api/v2/tokens/.

``tests/test_openapi.py`` validates recorded answers against the document.
"""
