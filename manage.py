#!/usr/bin/env python
"""Django's command line. `MIMIR_ROLE` chooses the settings: orchestrator (default) or frontend."""

import os
import sys


def main() -> None:
    from mimir.lib.garbage_collection import collect_less_often

    collect_less_often()
    from mimir.env import BadEnvironment

    os.environ.setdefault(
        "DJANGO_SETTINGS_MODULE", f"mimir.settings.{os.environ.get('MIMIR_ROLE', 'orchestrator')}"
    )
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
