"""The paths below /api/fleet/v1/."""

from django.urls import path

from fleet import deprovisioning, drains, fit, planning, views, what_if

urlpatterns = [
    path("", views.FleetRoot.as_view(), name="fleet"),
    path("bundles/", views.Bundles.as_view()),
    path("drains/", drains.Drains.as_view()),
    path("fit/", fit.FitView.as_view()),
    path("mesh/", views.MeshView.as_view()),
    path("mesh/risk/", planning.MeshRisk.as_view()),
    path("metrics/", views.FleetMetrics.as_view()),
    path("metrics/process/", views.ProcessMetricsView.as_view()),
    path("mirror/", views.MirrorState.as_view(), name="mirror"),
    path("mirror/ping/", views.MirrorPing.as_view()),
    path("what_if/", what_if.WhatIfView.as_view()),
    path("instances/<key>/drain/", drains.InstanceDrain.as_view()),
    path("instances/<key>/report/", views.ReportView.as_view()),
    path("instances/<key>/conditions/", views.Conditions.as_view()),
    path("instances/<key>/deprovision/", deprovisioning.Deprovisioning.as_view()),
    path("instances/<key>/ping/", views.InstancePing.as_view()),
]
