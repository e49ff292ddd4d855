"""`manage.py check_integrity`: do the promises of docs/domain.md hold in this database?"""

import json
import sys
from itertools import groupby
from time import perf_counter
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from enrollments.integrity import CHECKS, Violation, violations
from targets.models import Brand

UNUSABLE = 2
SHOWN_OF_A_CHECK = 20  # in the table; JSON has them all


class Command(BaseCommand):
    help = (
        "Check that the promises about stays, receipts, grants and progress hold in this database. Reads only, and may "
        "run beside the service. Exit code 0: they hold, 1: some are broken, 2: unusable arguments. --verbosity 2 "
        "tells how long each promise took."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brand", metavar="NAME", help="only this brand")
        parser.add_argument("--format", choices=["table", "json"], default="table", help="of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        brand = find_brand(options["brand"]) if options["brand"] else None
        found = find_all(brand, is_telling=options["verbosity"] > 1)
        REPORTS[options["format"]](found, cast("TextIO", self.stdout))
        if found:
            sys.exit(1)


def find_brand(name: str) -> Brand:
    brand = Brand.objects.filter(name__iexact=name).first()
    if brand is None:
        raise CommandError(f"There is no brand {name!r}.", returncode=UNUSABLE)
    return brand


def find_all(brand: Brand | None, *, is_telling: bool = False) -> list[Violation]:
    """With a bar on a terminal (standard error), nothing elsewhere. `is_telling`: a line for each promise."""
    console = Console(stderr=True)
    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: list[Violation] = []
    with Progress(
        *columns, TextColumn("{task.description}"), console=console, disable=not console.is_terminal, transient=True
    ) as progress:
        task = progress.add_task("", total=len(CHECKS))
        for check in CHECKS:
            progress.update(task, description=check.name)
            began = perf_counter()
            broken = violations(check, brand)
            if is_telling:
                console.print(f"{check.name}: {len(broken)} broken, {perf_counter() - began:.1f} s", highlight=False)
            found += broken
            progress.advance(task)
    return found


def as_table(found: list[Violation], out: TextIO) -> None:
    console = Console(file=out)
    for check, of_check in groupby(found, key=lambda violation: violation.check):
        broken = list(of_check)
        table = Table("Brand", "Customer", "Group", "Target", "What", title=f"{check.name}: {check.promise}")
        for each in broken[:SHOWN_OF_A_CHECK]:
            table.add_row(each.brand, who(each), str(each.target_group_id), str(each.target_id), each.detail)
        console.print(table)
        if len(broken) > SHOWN_OF_A_CHECK:
            console.print(f"... and {len(broken) - SHOWN_OF_A_CHECK} more.")
    broken_checks = len({violation.check for violation in found})
    if found:
        console.print(f"{broken_checks} of {len(CHECKS)} promises are broken, in {len(found)} places.", style="red")
    else:
        console.print(f"All {len(CHECKS)} promises hold.")


def who(each: Violation) -> str:
    return f"Erased {each.customer_key}" if each.customer_id is None else str(each.customer_id)


def as_json(found: list[Violation], out: TextIO) -> None:
    report = {
        "checks": [
            {
                "name": check.name,
                "promise": check.promise,
                "violations": [
                    {
                        "brand": each.brand,
                        "customerId": each.customer_id,
                        "erased": each.customer_key if each.customer_id is None else None,
                        "targetGroupId": each.target_group_id,
                        "targetId": each.target_id,
                        "detail": each.detail,
                    }
                    for each in found
                    if each.check == check
                ],
            }
            for check in CHECKS
        ],
        "violations": len(found),
    }
    out.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


REPORTS = {"table": as_table, "json": as_json}
