from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "anxiao.reporting"
    label = "reporting"
