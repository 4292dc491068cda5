from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "anxiao.accounts"
    label = "accounts"
