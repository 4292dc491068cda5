from django.apps import AppConfig


class DirectoryConfig(AppConfig):
    name = "anxiao.directory"
    label = "directory"
