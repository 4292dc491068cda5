from django.apps import AppConfig


class BaseConfig(AppConfig):
    name = "anxiao.base"
    label = "base"
