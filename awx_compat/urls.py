import oauth2_provider.urls
from django.urls import include, path
from oauth2_provider.views import AuthorizationView

from awx_compat import csp, dialects
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

TOKENS_OF_USER = ("tokens", "personal_tokens", "authorized_tokens")
# Collections that AWX's command line reads before any command about users.
NOT_STORED = {
    "projects": "Projects",
    "inventories": "Inventories",
    "teams": "Teams",
    "credentials": "Credentials",
    "job_templates": "Job Templates",
    "workflow_job_templates": "Workflow Job Templates",
}
NOTHING_OF_USER = tuple(name for name in RELATED if name not in (*TOKENS_OF_USER, "roles"))

# Django tries them in this order: the most frequent requests come first.
urlpatterns = [
    path("v2/instances/", instances.InstanceList.as_view()),
    path("v2/instances/<key>/", instances.InstanceDetail.as_view()),
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
    path("", root.ApiRoot.as_view()),
    path("o/", root.OAuthRoot.as_view()),
    # Redirects to the OAuth application, which is on another host.
    path("o/authorize/", csp.allowing(AuthorizationView.as_view(), form_action="https:")),
    path("o/", include((oauth2_provider.urls.base_urlpatterns, "oauth2_provider"))),
    path("login/", login.Login.as_view()),
    path("logout/", login.logout),
    path("v2/", root.VersionRoot.as_view()),
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
    *(path(f"v2/{name}/", empty.EmptyList.as_view(title=title)) for name, title in NOT_STORED.items()),
    path("v2/organizations/", empty.Organizations.as_view()),
    path("v2/workflow_approvals/", empty.WorkflowApprovals.as_view()),
    path("v2/dashboard/", dashboard.Dashboard.as_view()),
    path("v2/dashboard/graphs/jobs/", dashboard.JobGraph.as_view()),
    path("v2/metrics/", metrics.Metrics.as_view()),
    path("v2/unified_jobs/", jobs.UnifiedJobList.as_view()),
    path("v2/mesh_visualizer/", mesh.MeshVisualizer.as_view()),
    *(path("", include(module)) for module in dialects.current().routes),
]
