"""`manage.py revoke_api_client`: an OAuth client is refused from now on, and its tokens after CALLER_SECONDS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from targets.errors import DomainError
from targets.operations import revoke_api_client
from targets.wording import when_missed

UNUSABLE = 2


class Command(BaseCommand):
    help = "Revoke an OAuth client with all its tokens, for good. The API user stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client_id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            api_user = revoke_api_client(client_id=options["client_id"])
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        self.stdout.write(
            f"Revoked a client of {api_user.user.username} (brand {api_user.brand.name}); "
            f"its tokens are void {when_missed()}."
        )
