from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps

from instances import lookups, pooler, upgrading


class InstancesConfig(AppConfig):
    name = "instances"
    verbose_name = "Automation mesh"

    def ready(self) -> None:
        lookups.register()
        upgrading.register()
        pooler.register()
        import_module("instances.audit").register()  # needs the models


class AdministrationConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with the pages of ``instances.admin`` alone: other packages' save models around the rules."""

    default = False  # the package's own is InstancesConfig
    default_site = "instances.admin.site.MeshSite"

    def ready(self) -> None:
        super().ready()
        import_module("instances.admin")
