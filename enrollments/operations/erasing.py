"""Erasing a customer: out of everything, then everything that identifies a person (docs/privacy.md)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import QuerySet

from enrollments.enums import Source
from enrollments.locks import lock_customer, lock_participations
from enrollments.models import Activity, ArchivedActivity, EveryActivity, Participation, PlannedLeave, Receipt
from enrollments.operations.leaving import unenroll
from targets.errors import CycleNotFound, InvalidInput, NotEnrolled
from targets.models import Customer
from targets.operations import forget_answers
from targets.pseudonyms import erased_digest


@dataclass(frozen=True)
class Erasure:
    """What erasing a customer did, or would do. `customer` is the pseudonym that is left.

    `receipts`: one for each enrolment that it ended. `activities` and `texts`: of how many activities the attributes,
    of how many receipts the reason or the request id were emptied. `is_repeated`: he had been erased before, and
    nothing was done.
    """

    customer: Customer
    receipts: tuple[Receipt, ...] = ()
    activities: int = 0
    texts: int = 0
    is_repeated: bool = False


def erase_customer(
    *, customer: Customer, at: datetime, by: str, source: Source, reason: str = "", dry_run: bool = False
) -> Erasure:
    """Unenrol the customer from everything, also from inactive groups, and forget who he is.

    What finished cycles are still owed is paid to the pseudonym; grants, values and counts stay. Erasing again changes
    nothing and says so. `reason` is kept: raises `InvalidInput` if it names him. Raises `StaleInstant`. All of it is
    one transaction; with `dry_run` nothing is written.
    """
    with transaction.atomic():
        customer = lock_customer(customer)
        if customer.erased_at is not None or customer.customer_id is None:
            return Erasure(customer, is_repeated=True)
        _refuse_reason_that_names(customer, reason)
        receipts = _unenroll_from_all(customer, lambda each: _leave(each, at, by, source, dry_run))
        texts = Receipt.objects.filter(participation__customer=customer).exclude(reason="", request_id="")
        if dry_run:
            activities = EveryActivity.objects.filter(customer=customer).exclude(attributes={})
            return Erasure(customer, receipts, activities.count(), texts.count())

        forget_answers(customer)  # while he has his number, by which they are found
        _forget_that_he_was_listed(customer)
        # Before the rest: the database lets the texts of receipts be emptied of an erased customer only.
        Customer.objects.filter(pk=customer.pk).update(
            customer_id=None,
            external_id="",
            first_name="",
            last_name="",
            email="",
            mobile="",
            erased_at=at,
            erased_by=by,
            erasure_reason=reason,
            erased_digest=erased_digest(customer.brand_id, customer.customer_id),
        )
        customer.refresh_from_db()
        emptied = _empty_attributes(customer)
        erasure = Erasure(customer, receipts, emptied, texts.update(reason="", request_id=""))
        _log_entries(customer).update(object_repr=str(customer))
        return erasure


def _unenroll_from_all(customer: Customer, leave: Callable[[Participation], Receipt | None]) -> tuple[Receipt, ...]:
    """All participations are locked before the first calendar, and calendars in the order of their groups."""
    participations = sorted(lock_participations(customer), key=lambda each: (each.target.target_group_id, each.pk))
    for participation in participations:
        participation.customer = customer
    return tuple(receipt for each in participations if (receipt := leave(each)) is not None)


def _leave(participation: Participation, at: datetime, by: str, source: Source, dry_run: bool) -> Receipt | None:
    """None where there is nothing to leave: he has left already, or the programme is over."""
    try:
        return unenroll(
            customer=participation.customer,
            target=participation.target,
            at=at,
            by=by,
            source=source,
            dry_run=dry_run,
            even_if_inactive=True,
        )
    except (NotEnrolled, CycleNotFound):
        return None


def _empty_attributes(customer: Customer) -> int:
    """Of how many activities. The archive last: what is just being moved is waited for, and found there."""
    return sum(
        model._default_manager.filter(customer=customer).exclude(attributes={}).update(attributes={})
        for model in (Activity, ArchivedActivity)
    )


def _forget_that_he_was_listed(customer: Customer) -> None:
    """In uploaded lists of a time when nobody had his number or external id yet."""
    names = filter(None, [str(customer.customer_id), customer.external_id])
    PlannedLeave.objects.filter(brand=customer.brand_id, given__in=list(names)).update(given="")


def _refuse_reason_that_names(customer: Customer, reason: str) -> None:
    identity = [
        str(customer.customer_id),
        customer.external_id,
        customer.first_name,
        customer.last_name,
        customer.email,
        customer.mobile,
    ]
    for text in filter(None, identity):
        if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", reason, re.IGNORECASE):
            raise InvalidInput(
                "The reason is kept when the customer is erased, so it must not name him: name your ticket instead.",
                field="reason",
            )


def _log_entries(customer: Customer) -> QuerySet[LogEntry]:
    """What the admin wrote down when somebody edited him, with his name."""
    content_type = ContentType.objects.get_for_model(Customer)
    return LogEntry.objects.filter(content_type=content_type, object_id=str(customer.pk))
