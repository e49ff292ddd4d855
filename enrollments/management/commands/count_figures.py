"""`manage.py count_figures`: the figures of targets that are too large to be counted while a page is made."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from enrollments.closing_job import Stop
from enrollments.figures import MOST_COUNTED_AT_ONCE, is_large
from enrollments.management.commands.check_integrity import find_brand
from enrollments.management.outcome_report import INTERRUPTED
from enrollments.operations import count_figures
from targets.clock import brand_now
from targets.models import Target


class Command(BaseCommand):
    help = (
        f"Count members, achievements, given, owed and forfeited rewards of every target with more than "
        f"{MOST_COUNTED_AT_ONCE:,} enrolments, for its page of figures, which counts smaller ones itself. Run it as "
        "often as the figures shall be fresh, say every night, beside the service. Exit code 0: done, 1: run it "
        "again, 130: interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brand", metavar="NAME", help="only this brand")

    def handle(self, *args: Any, **options: Any) -> None:
        targets = Target.objects.select_related("brand", "target_group").order_by("brand", "pk")
        if options["brand"]:
            targets = targets.filter(brand=find_brand(options["brand"]))
        done = 0
        try:
            with Stop() as stop:
                for target in targets:
                    if stop.is_asked:
                        raise CommandError(f"Interrupted. Targets counted: {done}.", returncode=INTERRUPTED)
                    if is_large(target):
                        count_figures(target=target, at=brand_now(target.brand))
                        done += 1
                        self.stdout.write(f"{target.brand}: {target} ({target.pk}) counted.")
        except Error as error:
            message = f"Targets counted: {done}. Then the database failed: {str(error).strip()}. Run it again."
            raise CommandError(message) from error
        self.stdout.write(f"Targets counted: {done}. Of all others the page counts while it is made.")
