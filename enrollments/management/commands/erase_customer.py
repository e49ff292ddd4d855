"""`manage.py erase_customer`: out of everything, then forgotten; safe to run twice."""

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from enrollments.enums import Source
from enrollments.management.commands.check_integrity import find_brand
from enrollments.operations import Erasure, erase_customer
from enrollments.receipts import Account, accounts
from targets.clock import run_at_now
from targets.errors import CustomerNotFound, DomainError, InvalidInput
from targets.models import Brand, Customer
from targets.queries import LARGEST_ID, find_customer, find_erased

UNUSABLE = 2
LONGEST_REASON = 500


class Command(BaseCommand):
    help = (
        "Erase a customer: unenrol him from everything, then remove what identifies him. His rewards, values and "
        "counts stay with a pseudonym, which is still paid what it is owed. This cannot be undone. Exit code 0: done, "
        "or had been done before, 1: try again, 2: unusable arguments, nothing was tried."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brand", required=True, metavar="NAME", help="name of the brand")
        parser.add_argument("--customer", type=int, required=True, metavar="ID", help="the brand's number for him")
        parser.add_argument("--reason", default="", help="kept with the pseudonym: a ticket, never a name")
        parser.add_argument("--by", default="", help="who does it (default: the user of this machine)")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--format", choices=["text", "json"], default="text", help="of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        brand = find_brand(options["brand"])
        if len(options["reason"]) > LONGEST_REASON:
            raise CommandError(f"--reason: at most {LONGEST_REASON} characters.", returncode=UNUSABLE)
        customer = known_or_erased(brand, options["customer"])
        try:
            erasure = run_at_now(
                brand,
                lambda at: erase_customer(
                    customer=customer,
                    at=at,
                    by=(options["by"] or getpass.getuser())[:150],
                    source=Source.COMMAND,
                    reason=options["reason"],
                    dry_run=options["dry_run"],
                ),
            )
        except InvalidInput as refusal:
            raise CommandError(f"--reason: {refusal.message}", returncode=UNUSABLE) from None
        except DomainError as refusal:
            raise CommandError(refusal.message) from None
        report = as_json if options["format"] == "json" else as_text
        self.stdout.write(report(erasure, accounts(erasure.receipts), is_dry_run=options["dry_run"]))


def known_or_erased(brand: Brand, number: int) -> Customer:
    """The customer, or the pseudonym that is left of him: erasing twice is success."""
    try:
        return find_customer(brand, number)
    except CustomerNotFound as refusal:
        erased = find_erased(brand, number) if 0 < number <= LARGEST_ID else None
        if erased is None:
            raise CommandError(refusal.message, returncode=UNUSABLE) from None
        return erased


def as_text(erasure: Erasure, told: list[Account], *, is_dry_run: bool) -> str:
    if erasure.is_repeated:
        return f"Erased before, at {erasure.customer.erased_at:%Y-%m-%d %H:%M} UTC. Nothing was done."
    lines = ["Dry run: nothing was written." if is_dry_run else f"{erasure.customer}: this is all he is called now."]
    for account in told:
        target = account.receipt.participation.target
        forfeited = "".join(f"; the reward of {line.cycle.ref_code} is forfeited" for line in account.forfeited)
        lines.append(f"Unenrolled from {target} (group {target.target_group_id}, target {target.pk}){forfeited}.")
    lines.append(f"Removed: who he is, the attributes of {erasure.activities} activities, {erasure.texts} texts.")
    return "\n".join(lines)


def as_json(erasure: Erasure, told: list[Account], *, is_dry_run: bool) -> str:
    customer = erasure.customer
    report = {
        "pseudonym": customer.pk,
        "erasedAt": customer.erased_at.isoformat() if customer.erased_at else None,
        "dryRun": is_dry_run,
        "alreadyErased": erasure.is_repeated,
        "unenrolled": [
            {
                "receiptId": account.receipt.pk,
                "targetGroupId": account.receipt.participation.target.target_group_id,
                "targetId": account.receipt.participation.target_id,
                "forfeited": [line.cycle.ref_code for line in account.forfeited],
            }
            for account in told
        ],
        "activities": erasure.activities,
        "texts": erasure.texts,
    }
    return json.dumps(report, indent=2, ensure_ascii=False)
