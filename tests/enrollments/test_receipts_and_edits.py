"""Receipts read the same for ever, to the last byte, whatever becomes of the programme (domain.md 5 and 7)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.editing import CycleEdit, NewCycle, ProgrammeEdit, TargetEdit
from enrollments.enums import Effective, Source
from enrollments.export import sections
from enrollments.models import Receipt
from enrollments.operations import (
    ActivityData,
    Newcomer,
    close_cycles,
    edit_programme,
    enroll,
    enroll_newcomers,
    erase_customer,
    record_activity,
    set_group_active,
    unenroll,
)
from enrollments.receipts import accounts
from targets.enums import Allocation
from targets.models import Customer
from targets.operations import PeriodData
from tests.factories import START, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
EDITS = {
    "names": lambda target: ProgrammeEdit(name="New", targets={target.pk: TargetEdit(name="New", description="x")}),
    "end of the running cycle": lambda target: ProgrammeEdit(cycles={2: CycleEdit(ends_at=START + 45 * DAY)}),
    "cycles to come": lambda target: ProgrammeEdit(
        cycles={
            3: CycleEdit(starts_at=START + 50 * DAY, ends_at=START + 70 * DAY, description="x"),
            4: CycleEdit(starts_at=START + 80 * DAY),
        }
    ),
    "the same cycles again": lambda target: ProgrammeEdit(
        cycles={2: CycleEdit(ends_at=START + 48 * DAY), 4: CycleEdit(starts_at=START + 85 * DAY)}
    ),
    "late days": lambda target: ProgrammeEdit(late_days=4, cycles={5: CycleEdit(late_days=6)}),
    "values": lambda target: ProgrammeEdit(targets={target.pk: TargetEdit(values={3: Decimal(8), 4: Decimal(1)})}),
    "values again": lambda target: ProgrammeEdit(targets={target.pk: TargetEdit(values={3: Decimal(7)})}),
    "allocation": lambda target: ProgrammeEdit(targets={target.pk: TargetEdit(allocations={3: Allocation.IMMEDIATE})}),
    "appended cycles": lambda target: ProgrammeEdit(
        appended=[NewCycle(PeriodData("c6", START + 200 * DAY, START + 210 * DAY), {target.pk: Decimal(2)})]
    ),
    "inactive": lambda target: ProgrammeEdit(targets={target.pk: TargetEdit(is_active=False)}),
}


def history(target):
    """A member in c1 who achieved and forfeits c2, joins again and leaves at its end; and a newcomer."""
    customer, newcomer = CustomerFactory.create_batch(2, brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    for number, day in enumerate((1, 31)):
        event = ActivityData(f"e{number}", "purchase", customer.customer_id, START + day * DAY)
        record_activity(brand=target.brand, activity=event, at=START + day * DAY)
    list(close_cycles(brand=target.brand, at=START + 30 * DAY))
    unenroll(customer=customer, target=target, at=START + 32 * DAY, **ACT)
    enroll(customer=customer, target=target, at=START + 33 * DAY, period_name="c4", **ACT)
    unenroll(customer=customer, target=target, at=START + 34 * DAY, effective=Effective.END_OF_CYCLE, **ACT)
    enroll_newcomers(target=target, newcomers=[Newcomer(newcomer)], at=START + 35 * DAY, **ACT)
    return customer


def change(target, edit, day=36):
    edit_programme(target_group=target.target_group, edit=edit, at=START + day * DAY, **ACT)


def test_receipts_are_equal_before_and_after_every_kind_of_edit_and_later_ones_tell_the_new_calendar(site):
    target = make_programme(brand=site.brand, target_value=1, allocation=Allocation.PERIOD_END)
    history(target)

    def told():
        return {
            pk: site.client.get(f"/v3/receipts/{pk}").content for pk in Receipt.objects.values_list("pk", flat=True)
        }

    first, later = told(), {}
    for day, (name, edit) in enumerate(EDITS.items(), 1):
        now = START + 36 * DAY + timedelta(hours=day)
        edit_programme(target_group=target.target_group, edit=edit(target), at=now, **ACT)
        if name != "inactive":
            enroll(customer=CustomerFactory(brand=target.brand), target=target, at=now, **ACT)
        after = told()
        assert {pk: after[pk] for pk in first | later} == first | later, name
        later = {pk: content for pk, content in after.items() if pk not in first}

    assert len(first) == 5
    assert len(set(later.values())) == len(EDITS) - 1
    newest = accounts([Receipt.objects.latest("pk")])[0]
    assert [((line.cycle.starts_at - START).days, (line.cycle.ends_at - START).days) for line in newest.cycles] == [
        (0, 30),
        (30, 48),
        (50, 70),
        (85, 120),
        (120, 150),
        (200, 210),
    ]
    assert [line.target_value for line in newest.cycles] == [1, 1, 7, 1, 1, 2]
    assert list(Receipt.objects.order_by("pk").values_list("programme_version", flat=True))[4:] == list(range(1, 11))


def test_number_of_statements_does_not_depend_on_edits_nor_receipts():
    target = make_programme(target_value=1, allocation=Allocation.PERIOD_END)
    history(target)

    def statements(count):
        with CaptureQueriesContext(connection) as captured:
            accounts(list(Receipt.objects.order_by("pk")[:count]))
        return len(captured)

    before = [statements(1), statements(5)]
    for edit in EDITS.values():
        change(target, edit(target))

    assert [statements(1), statements(5)] == before
    assert before == [13, 13]


def test_preview_speaks_of_the_calendar_as_edited():
    target = make_programme(target_value=1)
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    change(target, EDITS["end of the running cycle"](target))

    preview = unenroll(customer=customer, target=target, at=START + 37 * DAY, dry_run=True, **ACT)

    assert preview.programme_version == 2
    assert accounts([preview])[0].cycles[1].cycle.ends_at == START + 45 * DAY


def test_export_and_erasure_lose_nothing_by_an_edit():
    target = make_programme(target_value=1, allocation=Allocation.PERIOD_END)
    customer = history(target)

    def exported():
        receipts = dict(sections(Customer.objects.select_related("brand").get(pk=customer.pk)))["receipts"]
        return [
            {key: value for key, value in each.items() if key not in ("target", "targetGroup")} for each in receipts
        ]

    before = exported()
    for edit in EDITS.values():
        change(target, edit(target))
    set_group_active(target_group=target.target_group, is_active=False, at=START + 37 * DAY, by="test")
    after = exported()
    erase_customer(customer=customer, at=START + 38 * DAY, **ACT)

    assert after == before
    assert [account.receipt.programme_version for account in accounts(list(Receipt.objects.order_by("pk")))][
        :5
    ] == 5 * [1]
