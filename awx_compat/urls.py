from django.urls import path

from awx_compat.views import groups, instances, jobs, login, mesh, root

urlpatterns = [
    path("", root.ApiRoot.as_view()),
    path("login/", login.Login.as_view()),
    path("logout/", login.logout),
    path("v2/", root.VersionRoot.as_view()),
    path("v2/ping/", root.Ping.as_view()),
    path("v2/me/", root.Me.as_view()),
    path("v2/instances/", instances.InstanceList.as_view()),
    path("v2/instances/<key>/", instances.InstanceDetail.as_view()),
    path("v2/instances/<key>/peers/", instances.InstancePeers.as_view()),
    path("v2/instances/<key>/instance_groups/", instances.InstanceGroupsOfInstance.as_view()),
    path("v2/instances/<key>/jobs/", instances.InstanceJobs.as_view()),
    path("v2/instances/<key>/health_check/", instances.InstanceHealthCheck.as_view()),
    path("v2/instances/<key>/install_bundle/", instances.InstallBundle.as_view()),
    path("v2/instance_groups/", groups.InstanceGroupList.as_view()),
    path("v2/instance_groups/<key>/", groups.InstanceGroupDetail.as_view()),
    path("v2/instance_groups/<key>/instances/", groups.InstancesOfGroup.as_view()),
    path("v2/instance_groups/<key>/jobs/", groups.JobsOfGroup.as_view()),
    path("v2/unified_jobs/", jobs.UnifiedJobList.as_view()),
    path("v2/mesh_visualizer/", mesh.MeshVisualizer.as_view()),
]
