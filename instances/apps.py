from django.apps import AppConfig

from instances import lookups


class InstancesConfig(AppConfig):
    name = "instances"
    verbose_name = "Automation mesh"

    def ready(self) -> None:
        lookups.register()
