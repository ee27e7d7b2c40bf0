from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs.lifecycle.uses import job_uses_of_datasets
        from jobs.queries.origins import jobs_of_versions
        from jobs.queries.usage import artifact_bytes
        from projects.core.origins import register_version_origins
        from projects.core.uses import register_uses
        from projects.storage.quota import register_artifact_bytes

        register_version_origins(jobs_of_versions)
        register_uses(job_uses_of_datasets)
        register_artifact_bytes(artifact_bytes)
        _check_profiles()


def _check_profiles() -> None:
    """Check RESOURCE_PROFILES at startup, before the first submit. Raises: BadEnvironment."""
    from jobs.lifecycle.amounts import profiles
    from mimir.env import BadEnvironment
    from mimir.lib.errors import Invalid

    try:
        profiles()
    except Invalid as error:
        raise BadEnvironment(
            [f"RESOURCE_PROFILES {path}: {message}" for path, message in error.detail.items()]
        ) from None
    except (ValueError, AttributeError, TypeError):
        raise BadEnvironment(
            ['RESOURCE_PROFILES must map job types to {"requests": {…}, "limits": {…}}']
        ) from None
