"""`manage.py export_customer`: everything held about a customer, as JSON."""

from datetime import UTC, datetime
from typing import Any

import simplejson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from enrollments.export import identity, sections
from enrollments.management.commands.check_integrity import find_brand
from targets.errors import CustomerNotFound
from targets.queries import find_customer

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Print everything held about a customer as JSON: who he is, enrolments, activities, grants, receipts, and what "
        "staff edited. Reads only. Exit code 0: done, 2: unusable arguments, or a customer who was erased."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brand", required=True, metavar="NAME", help="name of the brand")
        parser.add_argument("--customer", type=int, required=True, metavar="ID", help="the brand's number for him")

    def handle(self, *args: Any, **options: Any) -> None:
        brand = find_brand(options["brand"])
        try:
            customer = find_customer(brand, options["customer"])
        except CustomerNotFound as refusal:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        # Written as it is read: a customer may have more activities than memory holds.
        self.write("{")
        self.write(f'"exportedAt": {as_json(datetime.now(UTC))},\n"customer": {as_json(identity(customer))}')
        for name, rows in sections(customer):
            self.write(f',\n"{name}": [')
            for number, row in enumerate(rows):
                self.write((",\n" if number else "\n") + as_json(row))
            self.write("]")
        self.write("}\n")

    def write(self, text: str) -> None:
        self.stdout.write(text, ending="")


def as_json(value: Any) -> str:
    """Numbers exactly, instants in ISO 8601."""
    written: str = simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=datetime.isoformat)
    return written
