"""`manage.py reset_second_factor`: for who has lost both his phone and his recovery codes."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from targets.operations import remove_second_factor

UNUSABLE = 2


class Command(BaseCommand):
    help = "Remove the second factor of a person and his recovery codes, and sign him out everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.", returncode=UNUSABLE)
        if not remove_second_factor(user):
            raise CommandError(f"{username!r} has no second factor.", returncode=UNUSABLE)
        then = "he sets up a new one" if settings.REQUIRE_SECOND_FACTOR else "his password is enough"
        self.stdout.write(f"The second factor of {username} is removed, and he is signed out. Signing in, {then}.")
