from rest_framework import renderers


class JSONRenderer(renderers.JSONRenderer):
    """JSON without the charset parameter in its media type, as AWX sends it."""

    charset = None
