"""What other apps of this project build views on: all that they may import of ``awx_compat``."""

from awx_compat import process_metrics
from awx_compat.authentication import bearer_token
from awx_compat.exceptions import BodyTooLarge, Conflict
from awx_compat.exposition import RENDERERS, Families, Labels, TextRenderer, gauge, without_families
from awx_compat.openapi.errors import ErrorResponse, ErrorSerializer, detail
from awx_compat.paths import name_in
from awx_compat.permissions import ChangesNeedSuperuser, IsSuperuserOrAuditor
from awx_compat.serializers.service import MetricsSerializer
from awx_compat.views.base import ApiView, ListView, id_in, is_id
from awx_compat.views.errors import page as error_page
from awx_compat.views.instances import OfInstance

__all__ = [
    "RENDERERS",
    "ApiView",
    "BodyTooLarge",
    "ChangesNeedSuperuser",
    "Conflict",
    "ErrorResponse",
    "ErrorSerializer",
    "Families",
    "IsSuperuserOrAuditor",
    "Labels",
    "ListView",
    "MetricsSerializer",
    "OfInstance",
    "TextRenderer",
    "bearer_token",
    "detail",
    "error_page",
    "gauge",
    "id_in",
    "is_id",
    "name_in",
    "process_metrics",
    "without_families",
]
