"""The routes of AWX 23.6.0 that 24.6.1 does not have, or answers otherwise."""

from django.urls import path

from awx_compat.views import instances

urlpatterns = [
    path("v2/instances/<key>/peers/", instances.InstancePeers.as_view()),
]
