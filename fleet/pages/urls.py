from django.urls import path

from fleet.pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("nodes.csv", views.node_list, {"form": "csv"}, name="nodes-csv"),
    path("nodes.json", views.node_list, {"form": "json"}, name="nodes-json"),
    path("nodes/<int:pk>/", views.node, name="node"),
    path("favicon.ico", views.icon, name="icon"),
]
