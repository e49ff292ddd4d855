"""`manage.py create_brand`: a brand with working API credentials, shown once."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.text import slugify

from targets.enums import SecretForm
from targets.errors import DomainError
from targets.operations import create_brand

UNUSABLE = 2


class Command(BaseCommand):
    help = "Make a brand and an API user for it. The password is printed this once and cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--time-zone", default="UTC", metavar="Z", help="IANA zone such as Asia/Kolkata")
        parser.add_argument("--sandbox", action="store_true", help="has a clock that can be set; fixed for good")
        parser.add_argument("--api-user", metavar="U", help="user name (default: made from the name)")
        parser.add_argument(
            "--md5", action="store_true", help="the client sends the MD5 of the password, as published clients do"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        form = SecretForm.MD5_HEX if options["md5"] else SecretForm.PLAIN
        username = options["api_user"] or f"{slugify(options['name']) or 'brand'}-api"
        try:
            made = create_brand(
                name=options["name"],
                time_zone=options["time_zone"],
                sandbox=options["sandbox"],
                username=username,
                secret_form=form,
                at=timezone.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        brand = made.brand
        if options["format"] == "json":
            credentials = {
                "brandId": brand.pk,
                "name": brand.name,
                "username": username,
                "password": made.secret,
                "timeZone": brand.time_zone,
                "sandbox": brand.sandbox,
            }
            self.stdout.write(json.dumps(credentials))
            return
        password = "the lower-case hex MD5 of the password" if options["md5"] else "the password"
        self.stdout.write(
            f"Brand     {brand.name} (id {brand.pk}, {brand.time_zone}{', sandbox' if brand.sandbox else ''})\n"
            f"Username  {username}\n"
            f"Password  {made.secret}\n\n"
            f"Write the password down: it is not shown again.\n"
            f"Send HTTP Basic authentication with the username and {password}."
        )
