"""Erasing a customer: what goes, what stays, and that nothing of him can come back (docs/privacy.md)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, transaction

from enrollments.enums import Effective, Source
from enrollments.integrity import all_violations
from enrollments.models import Activity, ActivityOutcome, Participation, Progress, Receipt, Stay
from enrollments.operations import (
    ActivityData,
    close_cycles,
    enroll,
    erase_customer,
    record_activity,
    unenroll,
)
from rewards.models import Grant
from targets.enums import Allocation, Kpi, TrackingType
from targets.errors import AlreadyEnrolled, CustomerErased, CustomerNotFound, InvalidInput, StaleInstant
from targets.models import Customer
from targets.operations import put_customer
from targets.pseudonyms import erased_digest
from targets.queries import find_customer
from tests.factories import START, BrandFactory, CustomerFactory, UserFactory, freeze, make_programme
from tests.faults import everything

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
ERASE = {"by": "sam", "source": Source.COMMAND, "reason": "Ticket 4711"}
DAY = timedelta(days=1)
NUMBER = 918273645
IDENTITY = {
    "external_id": "ext-marker",
    "first_name": "Firstmarker",
    "last_name": "Lastmarker",
    "email": "mail.marker@example.org",
    "mobile": "+4915551234567",
}
MARKERS = (str(NUMBER), "attribute-marker", "reason-marker", "request-marker", *IDENTITY.values())


@pytest.fixture
def brand():
    return BrandFactory()


@pytest.fixture
def customer(brand):
    return CustomerFactory(brand=brand, customer_id=NUMBER, **IDENTITY)


def join(customer, target, at=START, **details):
    return enroll(customer=customer, target=target, at=at, **ACT, **details)


def buy(customer, event_id, at=START, **details):
    activity = ActivityData(event_id, "purchase", customer.customer_id, at, **details)
    return record_activity(brand=customer.brand, activity=activity, at=at)


def erase(customer, at=START + DAY, **details):
    return erase_customer(customer=customer, at=at, **(ERASE | details))


def whole_database():
    """The text of every row of every table, whoever made it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t")
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_nothing_that_identifies_a_person_remains_anywhere_in_the_database(brand, customer):
    target = make_programme(brand=brand, kpi=Kpi.SALES)
    join(customer, target, reason="reason-marker", request_id="request-marker")
    unenroll(customer=customer, target=target, at=START, **ACT, reason="reason-marker again")
    join(customer, target, reason="reason-marker")
    buy(customer, "e1", amount=Decimal("7.5"), attributes={"note": "attribute-marker", "who": NUMBER})
    LogEntry.objects.create(
        user=UserFactory(),
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(customer.pk),
        object_repr=str(customer),
        action_flag=CHANGE,
        change_message="",
    )
    before = whole_database()

    erasure = erase(customer)

    after = whole_database()
    assert [marker for marker in MARKERS if marker not in before] == []
    assert [marker for marker in MARKERS if marker in after] == []
    assert (erasure.activities, erasure.texts, erasure.is_repeated) == (1, 3, False)
    assert LogEntry.objects.get().object_repr == f"Erased {customer.pk}"


def test_row_and_what_hangs_on_it_stay_as_a_pseudonym(brand, customer):
    target = make_programme(brand=brand, target_value=1)
    join(customer, target)
    buy(customer, "e1", amount=Decimal("7.5"))
    kept = [list(model.objects.order_by("pk").values()) for model in (Grant, Progress, ActivityOutcome)]

    erase(customer)

    left = Customer.objects.get()
    activity = Activity.objects.get()
    assert (left.pk, left.customer_id, left.erased_at) == (customer.pk, None, START + DAY)
    assert (left.erased_by, left.erasure_reason, str(left)) == ("sam", "Ticket 4711", f"Erased {customer.pk}")
    assert (activity.customer_id, activity.event_id, activity.amount) == (customer.pk, "e1", Decimal("7.500"))
    assert [list(model.objects.order_by("pk").values()) for model in (Grant, Progress, ActivityOutcome)] == kept
    assert [len(rows) for rows in kept] == [1, 1, 1]
    assert list(all_violations()) == []


def test_every_enrolment_is_ended_with_a_receipt_also_inactive_and_scheduled_ones(brand, customer):
    running, inactive, scheduled, left = (make_programme(brand=brand) for _ in range(4))
    not_begun = make_programme(brand=brand, starts_at=START + timedelta(days=60))
    for target in (running, inactive, scheduled, left, not_begun):
        join(customer, target)
    freeze(inactive.target_group)
    unenroll(customer=customer, target=scheduled, at=START, **ACT, effective=Effective.END_OF_CYCLE)
    unenroll(customer=customer, target=left, at=START, **ACT)

    erasure = erase(customer)

    ended = {(each.participation.target_id, each.kind, each.end_cycle) for each in erasure.receipts}
    assert ended == {(each.pk, "UNENROLLED", 1) for each in (running, inactive, scheduled, not_begun)}
    assert Receipt.objects.filter(source=Source.COMMAND, actor="sam", reason="").count() == 4
    assert Stay.objects.filter(end_cycle=None).count() == 0
    assert list(all_violations()) == []


def test_programme_that_is_over_has_nothing_to_leave(brand, customer):
    target = make_programme(brand=brand, cycles=1)
    join(customer, target)

    erasure = erase(customer, at=START + timedelta(days=31))

    assert erasure.receipts == ()
    assert Stay.objects.get().end_cycle is None
    assert Customer.objects.get().erased_at == START + timedelta(days=31)


def test_reward_of_a_finished_cycle_is_paid_to_the_pseudonym_later(brand, customer):
    target = make_programme(brand=brand, target_value=1, allocation=Allocation.PERIOD_END, late_days=5)
    join(customer, target)
    buy(customer, "e1")
    buy(customer, "e2", at=START + timedelta(days=31))

    erasure = erase(customer, at=START + timedelta(days=32))
    closed = [(each.cycle.number, each.granted) for each in close_cycles(brand=brand, at=START + timedelta(days=66))]

    grant = Grant.objects.get()
    assert [(each.running_cycle, each.running_verdict) for each in erasure.receipts] == [(2, "left_reward_forfeited")]
    assert closed == [(1, 1), (2, 0)]
    assert (grant.customer_id, grant.cycle_number) == (customer.pk, 1)
    assert list(all_violations()) == []


def test_streak_keeps_its_levels(brand, customer):
    target = make_programme(brand=brand, tracking_type=TrackingType.STREAKS, levels=(1, 2), target_value=1)
    join(customer, target)
    buy(customer, "e1")

    (receipt,) = erase(customer).receipts

    assert (receipt.streak_count, Grant.objects.get().level.target_count) == (1, 1)
    assert list(all_violations()) == []


def test_erasing_twice_changes_nothing_and_says_so(brand, customer):
    join(customer, make_programme(brand=brand))
    erase(customer)
    before = everything()

    again = erase(customer, at=START + 2 * DAY, reason="Once more")

    assert (again.is_repeated, again.receipts, again.customer.erased_at) == (True, (), START + DAY)
    assert everything() == before


def test_dry_run_says_what_would_happen_and_writes_nothing(brand, customer):
    join(customer, make_programme(brand=brand), reason="asked for it")
    buy(customer, "e1", attributes={"shop": "Pune"})
    before = everything()

    erasure = erase(customer, dry_run=True)

    assert [(each.pk, each.kind, each.end_cycle) for each in erasure.receipts] == [(None, "UNENROLLED", 1)]
    assert (erasure.activities, erasure.texts, erasure.is_repeated) == (1, 1, False)
    assert everything() == before


@pytest.mark.parametrize(
    "reason",
    [
        f"Customer {NUMBER} asked",
        "firstmarker asked",
        "Asked for by Ms LASTMARKER.",
        "mail.marker@example.org wrote",
        "called from +4915551234567",
        "ext-marker",
    ],
)
def test_reason_that_names_him_is_refused_and_nothing_changes(brand, customer, reason):
    join(customer, make_programme(brand=brand))
    before = everything()

    with pytest.raises(InvalidInput) as refused:
        erase(customer, reason=reason)

    assert (refused.value.field, everything()) == ("reason", before)


def test_reason_with_a_number_that_only_contains_his_is_accepted(brand):
    customer = CustomerFactory(brand=brand, customer_id=47, first_name="Al")

    erase(customer, reason="Ticket 4711, also")

    assert Customer.objects.get().erasure_reason == "Ticket 4711, also"


def test_instant_before_his_last_change_is_stale_and_nothing_changes(brand, customer):
    join(customer, make_programme(brand=brand), at=START + DAY)
    before = everything()

    with pytest.raises(StaleInstant):
        erase(customer, at=START)

    assert everything() == before


def test_instant_before_the_close_of_a_programme_he_never_was_in_is_not_stale(brand, customer):
    target = make_programme(brand=brand)
    last = target.target_group.cycles.last()
    list(close_cycles(brand=brand, at=last.closes_at))

    erasure = erase(customer, at=last.ends_at - timedelta(microseconds=1))

    assert (erasure.receipts, erasure.is_repeated) == ((), False)


def test_other_customers_and_brands_are_left_alone(brand, customer):
    target = make_programme(brand=brand)
    namesake, neighbour = CustomerFactory(customer_id=NUMBER, **IDENTITY), CustomerFactory(brand=brand, **IDENTITY)
    join(customer, target)
    join(neighbour, target, reason="by phone")
    buy(neighbour, "e1", attributes={"shop": "Pune"})
    others = Customer.objects.filter(pk__in=[namesake.pk, neighbour.pk]).order_by("pk")
    before = list(others.values())

    erase(customer)

    assert list(others.values()) == before
    assert Receipt.objects.get(participation__customer=neighbour).reason == "by phone"
    assert Activity.objects.get().attributes == {"shop": "Pune"}
    with pytest.raises(AlreadyEnrolled):
        join(neighbour, target)


# What comes later


def test_number_can_neither_be_registered_nor_enrolled_again_in_this_brand(brand, customer):
    target = make_programme(brand=brand)
    erase(customer)
    before = everything()

    with pytest.raises(CustomerErased) as registered:
        put_customer(brand=brand, customer_id=NUMBER, first_name="Ann")
    with pytest.raises(CustomerNotFound) as found:
        find_customer(brand, NUMBER)
    with pytest.raises(CustomerNotFound) as joined:
        join(customer, target)

    sentence = f"Customer {NUMBER} was erased on 2026-01-02 and cannot be registered or enrolled."
    assert registered.value.message == sentence
    assert (found.value.message, joined.value.message) == (f"Invalid user id. {sentence}",) * 2
    assert everything() == before


def test_number_of_somebody_erased_is_free_in_another_brand(customer):
    erase(customer)

    _, is_new = put_customer(brand=BrandFactory(), customer_id=NUMBER)

    assert is_new


def test_activity_of_an_erased_customer_is_unknown_and_not_remembered(brand, customer):
    join(customer, make_programme(brand=brand))
    buy(customer, "e1")
    erase(customer)
    before = everything()

    recorded = [buy(customer, "e1"), buy(customer, "e2", attributes={"shop": "Pune"})]

    assert [each.not_counted for each in recorded] == ["unknown_customer"] * 2
    assert everything() == before


def test_event_id_of_an_erased_customer_is_not_free_for_another(brand, customer):
    buy(customer, "e1")
    erase(customer)

    recorded = buy(CustomerFactory(brand=brand), "e1")

    assert (recorded.not_counted, Activity.objects.count()) == ("event_id_conflict", 1)


def test_digest_depends_on_key_brand_and_number(settings):
    digest = erased_digest(1, 23)

    others = [erased_digest(2, 23), erased_digest(1, 24), erased_digest(12, 3)]
    settings.CREDENTIALS_KEY = "another key"
    others.append(erased_digest(1, 23))

    assert len({digest, *others}) == 5


# The one exception of append-only receipts


@pytest.mark.parametrize(
    "change",
    [
        "reason = ''",  # of somebody who is not erased
        "actor = ''",
    ],
)
def test_receipts_of_who_is_not_erased_take_no_change(brand, customer, change):
    join(customer, make_programme(brand=brand), reason="by phone")

    assert refused_by(f"UPDATE enrollments_receipt SET {change}") == "enrollments_receipt_append_only"


@pytest.mark.parametrize(
    "change", ["reason = 'new'", "actor = ''", "reason = '', streak_count = 9", "request_id = 'r'"]
)
def test_receipts_of_an_erased_customer_take_emptied_texts_only(brand, customer, change):
    join(customer, make_programme(brand=brand))
    erase(customer)

    assert refused_by(f"UPDATE enrollments_receipt SET {change}") == "enrollments_receipt_append_only"
    assert refused_by("DELETE FROM enrollments_receipt") == "enrollments_receipt_append_only"


def refused_by(statement):
    with pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return refused.value.__cause__.diag.constraint_name


def test_scheduled_leave_of_an_erased_customer_cannot_be_taken_back_by_sql(brand, customer):
    target = make_programme(brand=brand)
    join(customer, target)
    erase(customer)
    participation = Participation.objects.get()

    statement = (
        "UPDATE enrollments_stay SET end_cycle = NULL, left_at = NULL, leave_receipt_id = NULL "
        f"WHERE participation_id = {participation.pk}"
    )

    assert refused_by(statement) == "stay_of_known_customer"
