"""What the WSGI application is told of a request that granian received."""

from types import SimpleNamespace

from awx_compat.buffered import environ_of


def scope(headers: list[tuple[str, str]], **changes: str) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "method": "GET",
            "path": "/nodes/",
            "query_string": "a=%20",
            "http_version": "1.1",
            "client": "[::1]:4711",
            "server": "127.0.0.1:8000",
            "scheme": "http",
            "authority": None,
            **changes,
        },
        headers=SimpleNamespace(items=lambda: headers),
    )


def test_the_request_is_told_as_wsgi_has_it() -> None:
    environ = environ_of(
        scope([("host", "awx"), ("accept", "a"), ("accept", "b"), ("cookie", "c=1"), ("cookie", "d=2")])
    )
    expected = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/nodes/",
        "QUERY_STRING": "a=%20",
        "REMOTE_ADDR": "::1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "awx",
        "HTTP_ACCEPT": "a,b",
        "HTTP_COOKIE": "c=1; d=2",
    }
    assert expected.items() <= environ.items()


def test_no_header_is_taken_for_one_of_a_proxy() -> None:
    environ = environ_of(scope([("x_forwarded_for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")]))
    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.2"
    assert "HTTP_X_FORWARDED_FOR" not in environ_of(scope([("x_forwarded_for", "192.0.2.1")]))
