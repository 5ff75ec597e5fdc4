from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = "Registry"

    def ready(self) -> None:
        from accounts import audit
        from registry.services import events

        audit.keep_with(events.record)
