"""What Django needs for an answer: no middleware, one SELECT that checks the token and gives a stored text.

It is served as the service itself is, by ``manage.py serve`` with ``bench.floor_settings``: the same server, as many
processes and threads, as many connections.
"""

import hashlib
from collections.abc import Mapping

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

CREATE = "CREATE TABLE bench_document (path text PRIMARY KEY, body text NOT NULL)"
READ = """
SELECT document.body
FROM bench_document AS document, oauth2_provider_accesstoken AS token
JOIN instances_user AS owner ON owner.id = token.user_id
WHERE document.path = %s AND token.token_checksum = %s AND token.expires > now() AND owner.is_active
"""


def answer(request: HttpRequest) -> HttpResponse:
    """The document that is stored for the request's path and query; 401 where there is none, or no valid token."""
    token = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    checksum = hashlib.sha256(token.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(READ, [request.get_full_path(), checksum])
        found = cursor.fetchone()
    if found is None:
        return HttpResponse(status=401)
    return HttpResponse(found[0], content_type="application/json")


urlpatterns = [re_path("", answer)]


def store(documents: Mapping[str, str]) -> None:
    """Keep ``documents``, by path, in a table of the floor's own."""
    with connection.cursor() as cursor:
        cursor.execute(CREATE)
        cursor.executemany("INSERT INTO bench_document VALUES (%s, %s)", list(documents.items()))
