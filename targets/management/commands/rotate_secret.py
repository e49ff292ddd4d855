"""`manage.py rotate_secret`: a new secret for an API user, while the former one is still accepted."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from targets.enums import SecretForm
from targets.errors import DomainError
from targets.operations import revoke_former_secret, rotate_secret
from targets.wording import when_missed

UNUSABLE = 2
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """`30m`, `24h`, `7d`, or `0`."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text, re.ASCII)
    if match is None and text != "0":
        raise ArgumentTypeError(f"{text!r} is no time such as 30m, 24h, 7d or 0.")
    return timedelta(**{UNITS[match[2]]: int(match[1])}) if match else timedelta(0)


class Command(BaseCommand):
    help = "Give an API user a new secret. It is printed this once; the former one is accepted until the grace ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--grace",
            type=duration,
            default=timedelta(days=1),
            metavar="TIME",
            help="how long the former secret is still accepted: 30m, 24h (the default), 7d; 0 ends it at once",
        )
        how.add_argument("--revoke", action="store_true", help="make no secret: end the grace of the former one now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["revoke"]:
                self.revoke(options["username"])
            else:
                self.rotate(options["username"], options["grace"])
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None

    def revoke(self, username: str) -> None:
        was_accepted = revoke_former_secret(username=username, at=timezone.now())
        said = f"The former secret is refused {when_missed()}." if was_accepted else "No former secret is accepted."
        self.stdout.write(said)

    def rotate(self, username: str, grace: timedelta) -> None:
        made = rotate_secret(username=username, grace=grace, at=timezone.now())
        end = made.api_user.former_until
        former = f"is accepted until {end:%Y-%m-%d %H:%M} UTC" if end else f"is refused {when_missed()}"
        is_md5 = made.api_user.secret_form == SecretForm.MD5_HEX
        self.stdout.write(
            f"Username  {username}\n"
            f"Password  {made.secret}\n\n"
            f"Write the password down: it is not shown again. The former one {former}.\n"
            f"Send HTTP Basic authentication with the username and "
            f"{'the lower-case hex MD5 of the password' if is_md5 else 'the password'}."
        )
