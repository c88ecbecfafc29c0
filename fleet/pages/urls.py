from django.urls import path

from fleet.pages import drain_views, fit_page, views, what_if_page

urlpatterns = [
    path("", views.home, name="home"),
    path("nodes.csv", views.node_list, {"form": "csv"}, name="nodes-csv"),
    path("nodes.json", views.node_list, {"form": "json"}, name="nodes-json"),
    path("nodes/<int:pk>/", views.node, name="node"),
    path("nodes/<int:pk>/drain/", drain_views.drain, name="drain"),
    path("nodes/<int:pk>/drain/undo/", drain_views.undo, name="drain-undo"),
    path("planning/", what_if_page.planning, name="planning"),
    path("planning/fit/", fit_page.fit, name="planning-fit"),
    path("planning/drains/", drain_views.drain_list, name="planning-drains"),
    path("favicon.ico", views.icon, name="icon"),
]
