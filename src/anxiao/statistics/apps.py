from django.apps import AppConfig


class StatisticsConfig(AppConfig):
    name = "anxiao.statistics"
    label = "statistics"
