from django.urls import path

from awx_compat.views import instances, login, root

urlpatterns = [
    path("", root.ApiRoot.as_view()),
    path("login/", login.Login.as_view()),
    path("logout/", login.logout),
    path("v2/", root.VersionRoot.as_view()),
    path("v2/ping/", root.Ping.as_view()),
    path("v2/me/", root.Me.as_view()),
    path("v2/instances/", instances.InstanceList.as_view()),
    path("v2/instances/<key>/", instances.InstanceDetail.as_view()),
]
