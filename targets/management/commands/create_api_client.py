"""`manage.py create_api_client`: credentials for OAuth 2.0, shown once."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from targets.errors import DomainError
from targets.operations import create_api_client

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Make an OAuth client for an API user, with --brand also the user. "
        "The secret is printed this once and cannot be read again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="name of the API user; older clients of his stay valid")
        parser.add_argument("--brand", metavar="B", help="make the user too, in this brand")
        parser.add_argument("--group", metavar="G", help="what that user may do (default: 'Default access')")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["group"] is not None and options["brand"] is None:
            raise CommandError("--group is for a new user: name his --brand too.", returncode=UNUSABLE)
        try:
            made = create_api_client(
                username=options["user"],
                brand_name=options["brand"],
                group_name="Default access" if options["group"] is None else options["group"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        brand = made.api_user.brand
        if options["format"] == "json":
            credentials = {
                "clientId": made.client_id,
                "clientSecret": made.secret,
                "username": options["user"],
                "brandId": brand.pk,
                "otherClientIds": made.others,
            }
            self.stdout.write(json.dumps(credentials))
            return
        self.stdout.write(
            f"User           {options['user']} (brand {brand.name})\n"
            f"Client id      {made.client_id}\n"
            f"Client secret  {made.secret}\n\n"
            "Write the secret down: it is not shown again.\n"
            "Get tokens at /oauth/token with the grant client_credentials."
        )
        if made.others:
            self.stdout.write(
                "\nOlder clients of this user are still valid. Once nobody uses them:\n"
                + "\n".join(f"    manage.py revoke_api_client {other}" for other in made.others)
            )
