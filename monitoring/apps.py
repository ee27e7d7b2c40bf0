from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from mimir.health import Check, register_check
        from monitoring.metrics import register
        from monitoring.readiness import (
            database_problem,
            disks_problem,
            migrations_problem,
            redis_problem,
        )

        register_check(Check("database", needed=True, problem=database_problem))
        register_check(Check("migrations", needed=True, problem=migrations_problem))
        register_check(Check("redis", needed=False, problem=redis_problem))
        register_check(Check("storage", needed=False, problem=disks_problem))
        register(REGISTRY)
