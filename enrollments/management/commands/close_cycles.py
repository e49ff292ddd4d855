"""`manage.py close_cycles`: close what is due and give its period-end rewards."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from enrollments.operations import close_cycles
from targets.clock import brand_now
from targets.models import Brand

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Close every cycle that is due, oldest first, and give its period-end rewards. Run it every few minutes; "
        "again, in parallel, or after being killed, it pays nothing twice and leaves nothing out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", metavar="T", help="only what was due at this instant, such as 2026-03-01T00:00:00Z")
        parser.add_argument("--brand", metavar="NAME", help="only this brand")

    def handle(self, *args: Any, **options: Any) -> None:
        until = parsed_instant(options["at"]) if options["at"] else None
        brands = Brand.objects.order_by("pk")
        if options["brand"]:
            brands = brands.filter(name__iexact=options["brand"])
            if not brands.exists():
                raise CommandError(f"There is no brand {options['brand']!r}.", returncode=UNUSABLE)
        cycles = rewards = failures = 0
        for brand in brands:
            now = brand_now(brand)
            # A sandbox has a now of its own; nobody's cycles close before their time.
            at = now if until is None else min(until, now)
            try:
                for closed in close_cycles(brand=brand, at=at):
                    cycles += 1
                    rewards += closed.granted
                    self.stdout.write(
                        f"{brand}: {closed.cycle.target_group}, {closed.cycle.ref_code} closed, "
                        f"rewards given: {closed.granted}"
                    )
            except OperationalError as error:  # a lock time-out, say: the other brands go on
                failures += 1
                self.stderr.write(f"{brand}: {error}".strip())
        self.stdout.write(f"Cycles closed: {cycles}. Rewards given: {rewards}.")
        if failures:
            raise CommandError(f"Not done for {failures} of {len(brands)} brands: run it again.")


def parsed_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at: {text!r} is no instant such as 2026-03-01T00:00:00Z.", returncode=UNUSABLE) from None
    if instant.utcoffset() is None:
        raise CommandError(f"--at: {text!r} has no offset from UTC: add Z or +05:30.", returncode=UNUSABLE)
    return instant
