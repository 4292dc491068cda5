from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The roof: wires the bell rope when everything stands."""

    name = "anxiao.config"
    label = "config"

    def ready(self) -> None:
        from anxiao.config import wiring

        wiring.connect()
