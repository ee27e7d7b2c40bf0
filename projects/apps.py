from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mimir.api.authentication import register_token_lookup
        from projects import signals
        from projects.services.tokens import token_identify

        register_token_lookup(token_identify)
        signals.register()
