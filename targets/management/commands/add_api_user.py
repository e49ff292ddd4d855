"""`manage.py add_api_user`: one more API user for a brand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from targets.enums import SecretForm
from targets.errors import DomainError
from targets.models import Brand
from targets.operations import add_api_user

UNUSABLE = 2


class Command(BaseCommand):
    help = "Make one more API user for a brand. The password is printed this once and cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--brand", required=True, metavar="NAME")
        form = parser.add_mutually_exclusive_group()
        form.add_argument(
            "--md5", action="store_true", help="the client sends the MD5 of the password, as published clients do"
        )
        form.add_argument(
            "--own-password", action="store_true", help="the user exists, and sends the password he logs in with"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        brand = Brand.objects.filter(name__iexact=options["brand"]).first()
        if brand is None:
            raise CommandError(f"There is no brand {options['brand']!r}.", returncode=UNUSABLE)
        form = SecretForm.PLAIN
        if options["own_password"]:
            form = SecretForm.PASSWORD
        elif options["md5"]:
            form = SecretForm.MD5_HEX
        try:
            made = add_api_user(brand=brand, username=username, secret_form=form)
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        if form == SecretForm.PASSWORD:
            self.stdout.write(
                f"{username} may use the API of {brand.name} with the password and the permissions he has."
            )
            return
        self.stdout.write(
            f"Brand     {brand.name} (id {brand.pk})\n"
            f"Username  {username}\n"
            f"Password  {made.secret}\n\n"
            f"Write the password down: it is not shown again.\n"
            f"Send HTTP Basic authentication with the username and "
            f"{'the lower-case hex MD5 of the password' if options['md5'] else 'the password'}."
        )
