from typing import Any

from rest_framework import renderers

from awx_compat.encoding import Encoder, encoded


class JSONRenderer(renderers.JSONRenderer):
    """JSON without the charset parameter in its media type, as AWX sends it."""

    charset = None
    encoder_class = Encoder

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        is_compact = data is not None and self.get_indent(accepted_media_type, renderer_context or {}) is None
        text = encoded(data) if is_compact else None
        return super().render(data, accepted_media_type, renderer_context) if text is None else text
