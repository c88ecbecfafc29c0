from django.apps import AppConfig


class AwxCompatConfig(AppConfig):
    name = "awx_compat"
    verbose_name = "AWX's HTTP dialect"
