from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs.selectors.lineage import jobs_of_versions
        from projects.selectors import register_version_origins

        register_version_origins(jobs_of_versions)
