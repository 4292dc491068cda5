from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "anxiao.ledger"
    label = "ledger"
