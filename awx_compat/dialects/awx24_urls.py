"""The routes of AWX 24.6.1 that 23.6.0 does not have, or answers otherwise."""

from django.urls import path, re_path

from awx_compat.views import addresses, role_assignments, root

urlpatterns = [
    path("v2/instances/<key>/peers/", addresses.PeerAddresses.as_view()),
    path("v2/instances/<key>/receptor_addresses/", addresses.OwnAddresses.as_view()),
    path("v2/receptor_addresses/", addresses.ReceptorAddressList.as_view()),
    re_path(r"^v2/receptor_addresses/(?P<key>[0-9]+)/$", addresses.ReceptorAddressDetail.as_view()),
    path("v2/service-index/", root.ServiceIndex.as_view()),
    path("v2/service-index/metadata/", root.ServiceMetadata.as_view()),
    path("v2/role_definitions/", role_assignments.RoleDefinitionList.as_view()),
    path("v2/role_definitions/<int:key>/", role_assignments.RoleDefinitionDetail.as_view()),
    path("v2/role_definitions/<int:key>/user_assignments/", role_assignments.UserAssignmentsOfDefinition.as_view()),
    path("v2/role_definitions/<int:key>/team_assignments/", role_assignments.TeamAssignmentsOfDefinition.as_view()),
    path("v2/role_user_assignments/", role_assignments.UserAssignmentList.as_view()),
    path("v2/role_user_assignments/<int:key>/", role_assignments.UserAssignmentDetail.as_view()),
    path("v2/role_team_assignments/", role_assignments.TeamAssignmentList.as_view()),
]
