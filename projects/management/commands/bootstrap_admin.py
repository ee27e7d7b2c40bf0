"""`manage.py bootstrap_admin`: create the first site administrator of an installation."""

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = (
        "Create the first site administrator with the password in BOOTSTRAP_PASSWORD."
        " An existing user is not changed."
    )

    requires_system_checks = []  # the checks import all URLs and pages, which delays each start

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument("--migrate", action="store_true", help="apply the migrations first")

    def handle(self, *_args: object, **options: Any) -> None:
        if options["migrate"]:
            call_command("migrate_locked")
        users = get_user_model().objects
        if users.filter(username=options["username"]).exists():
            self.stdout.write(f"The user {options['username']} already exists.")
            return
        password = os.environ.get("BOOTSTRAP_PASSWORD", "")
        if len(password) < 12:
            raise CommandError("Set BOOTSTRAP_PASSWORD to a password of at least 12 characters.")
        users.create_superuser(options["username"], password=password)
        self.stdout.write(f"Created the administrator {options['username']}.")
