from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mimir.api.authentication import register_token_lookup
        from projects.core.uses import register_uses
        from projects.pipelines.dataset_uses import pipeline_uses_of_datasets
        from projects.tokens.write import token_identify
        from projects.users import signals

        register_token_lookup(token_identify)
        register_uses(pipeline_uses_of_datasets)
        signals.register()
