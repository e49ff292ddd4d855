"""`manage.py revoke_api_client`: an OAuth client and its tokens are refused from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from targets.errors import DomainError
from targets.operations import revoke_api_client

UNUSABLE = 2


class Command(BaseCommand):
    help = "Revoke an OAuth client with all its tokens, at once and for good. The API user stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client_id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            api_user = revoke_api_client(client_id=options["client_id"])
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        self.stdout.write(
            f"Revoked a client of {api_user.user.username} (brand {api_user.brand.name}); its tokens are void."
        )
