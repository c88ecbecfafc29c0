import itertools

import oauth2_provider.urls
from django.urls import URLPattern, include, path, re_path
from django.utils.functional import lazy
from oauth2_provider.views import AuthorizationView

from awx_compat import csp, dialects, paths
from awx_compat.not_stored import BY_ROUTE, COLLECTIONS
from awx_compat.serializers.job import COLLECTIONS_OF_JOBS
from awx_compat.serializers.user import RELATED
from awx_compat.views import (
    config,
    dashboard,
    empty,
    groups,
    instances,
    jobs,
    login,
    mesh,
    metrics,
    roles,
    root,
    tokens,
    users,
)
from instances.models import UnifiedJob

TOKENS_OF_USER = ("tokens", "personal_tokens", "authorized_tokens")


def routes_of_jobs(collection: str, kind: UnifiedJob.Type) -> list[URLPattern]:
    """The routes of the jobs of one kind."""
    one, name = rf"^v2/{collection}/(?P<key>[0-9]+)/", collection.replace("_", " ").title()
    return [
        path(f"v2/{collection}/", jobs.JobList.as_view(title=name, kind=kind)),
        re_path(f"{one}$", jobs.JobDetail.as_view(title=f"{name[:-1]} Detail", kind=kind)),
        re_path(f"{one}.+/$", jobs.NothingOfJob.as_view(kind=kind)),
    ]


NOTHING_OF_USER = tuple(name for name in RELATED if name not in (*TOKENS_OF_USER, "roles"))

LOGIN = lazy(lambda: f"{paths.api()}login/", str)()

# Django tries them in this order: the most frequent requests come first.
urlpatterns = [
    path("v2/instances/", instances.InstanceList.as_view()),
    path("v2/instances/<key>/", instances.InstanceDetail.as_view(), name="instance"),
    path("v2/instances/<key>/instance_groups/", instances.InstanceGroupsOfInstance.as_view()),
    path("v2/instances/<key>/jobs/", instances.InstanceJobs.as_view()),
    path("v2/instances/<key>/health_check/", instances.InstanceHealthCheck.as_view()),
    path("v2/instances/<key>/install_bundle/", instances.InstallBundle.as_view()),
    path("v2/instance_groups/", groups.InstanceGroupList.as_view()),
    path("v2/instance_groups/<key>/", groups.InstanceGroupDetail.as_view()),
    path("v2/instance_groups/<key>/instances/", groups.InstancesOfGroup.as_view()),
    path("v2/instance_groups/<key>/object_roles/", groups.RolesOfGroup.as_view()),
    path("v2/instance_groups/<key>/access_list/", groups.UsersOfGroup.as_view()),
    path("v2/instance_groups/<key>/jobs/", groups.JobsOfGroup.as_view()),
    re_path(r"^v2/credentials/(?P<key>[0-9]+)/$", groups.CredentialOfGroups.as_view()),
    path("", root.ApiRoot.as_view()),
    path("o/", root.OAuthRoot.as_view()),
    # Redirects to the OAuth application, which is on another host.
    path("o/authorize/", csp.allowing(AuthorizationView.as_view(login_url=LOGIN), form_action="https:")),
    path("o/", include((oauth2_provider.urls.base_urlpatterns, "oauth2_provider"))),
    path("login/", login.Login.as_view(), name="login"),
    path("logout/", login.logout),
    path("v2/", root.VersionRoot.as_view(), name="v2"),
    path("v2/ping/", root.Ping.as_view()),
    path("v2/config/", config.Config.as_view()),
    path("v2/settings/", config.SettingCategories.as_view()),
    path("v2/settings/<slug>/", config.SettingCategory.as_view()),
    path("v2/auth/", root.AuthProviders.as_view()),
    path("v2/me/", users.Me.as_view()),
    path("v2/users/", users.UserList.as_view()),
    path("v2/users/<key>/", users.UserDetail.as_view()),
    *(path(f"v2/users/<key>/{name}/", tokens.TokensOfUser.as_view()) for name in TOKENS_OF_USER),
    *(path(f"v2/users/<key>/{name}/", users.NothingOfUser.as_view()) for name in NOTHING_OF_USER),
    path("v2/users/<key>/roles/", roles.RolesOfUser.as_view()),
    path("v2/roles/", roles.RoleList.as_view()),
    path("v2/roles/<key>/", roles.RoleDetail.as_view()),
    path("v2/roles/<key>/users/", roles.UsersOfRole.as_view()),
    path("v2/roles/<key>/teams/", roles.TeamsOfRole.as_view()),
    path("v2/tokens/", tokens.TokenList.as_view()),
    path("v2/tokens/<key>/", tokens.TokenDetail.as_view()),
    path("v2/tokens/<key>/activity_stream/", tokens.ActivityOfToken.as_view()),
    *(path(f"v2/{each.route}/", empty.view_of(each)) for each in COLLECTIONS),
    re_path(rf"^v2/(?P<collection>{'|'.join(BY_ROUTE)})/(?P<key>.+)/$", empty.MissingRecord.as_view()),
    path("v2/dashboard/", dashboard.Dashboard.as_view()),
    path("v2/dashboard/graphs/jobs/", dashboard.JobGraph.as_view()),
    path("v2/metrics/", metrics.Metrics.as_view()),
    path("v2/unified_jobs/", jobs.UnifiedJobList.as_view()),
    *itertools.chain.from_iterable(itertools.starmap(routes_of_jobs, COLLECTIONS_OF_JOBS.items())),
    path("v2/mesh_visualizer/", mesh.MeshVisualizer.as_view()),
    *(path("", include(module)) for module in dialects.current().routes),
]
