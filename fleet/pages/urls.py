from django.urls import path

from fleet.pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("nodes/<int:pk>/", views.node, name="node"),
    path("favicon.ico", views.icon, name="icon"),
]
