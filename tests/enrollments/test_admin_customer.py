"""The page of a customer: his programmes, why, his rewards, and what happened."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from enrollments.admin.strips import around_now
from enrollments.enums import ReceiptKind
from enrollments.models import Activity, ActivityOutcome, Participation
from enrollments.operations import (
    ActivityData,
    archive_activities,
    cancel_leave,
    close_cycles,
    enroll,
    erase_customer,
    record_activity,
    undo_leave,
    unenroll,
)
from enrollments.queries import find_receipt
from enrollments.standing import standings
from enrollments.timeline import Kind, Moment, timeline
from rewards.models import Grant
from targets.enums import Allocation, TrackingType
from targets.models import Brand, Target, TargetValue
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme, sandbox, signed_in, staff
from tests.factories import START
from tests.plans.reading import watched_and_undone

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
STAFF = {"by": "sam", "source": "ADMIN"}
MOST_READ = 300  # of each of 100 enrolments a few rows; of 3,000 activities those that are shown
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def chief():
    return signed_in(staff(username="chief", is_superuser=True))


def page(client, customer, **query):
    response = client.get(f"/admin/targets/customer/{customer.pk}/change/", query)
    assert response.status_code == 200
    return response.content.decode()


def words(html):
    return re.sub(r"\s+", " ", strip_tags(html))


def statements(client, customer, **query):
    with CaptureQueriesContext(connection) as queries:
        page(client, customer, **query)
    return len(queries)


def story(customer, **options):
    """All of it, newest first, asked for two at a time."""
    found, before = [], None
    while True:
        part = timeline(customer, before=before, at_once=2, **options)
        found += part.entries
        before = part.before
        if before is None:
            return found
        assert len(part.entries) == 2


def test_strip_tells_each_cycle_and_why_in_words(chief):
    target = programme(allocation=Allocation.PERIOD_END, name="ABC", time_zone="Asia/Kolkata")
    customer = enrolled(target, achieved=True, first_name="Ann").customer
    unenroll(customer=customer, target=target, at=NOW, reason="Moved", **STAFF)

    html = page(chief, customer)

    assert re.findall(r'<li class="(forfeited|left)( now)?" title', html) == [
        ("forfeited", " now"),
        *[("left", "")] * 4,
    ]
    assert "c1 : Reward forfeited, running now" in words(html).replace("c1:", "c1 :")
    sentence = (
        "Not granted: the target was reached, 1 of 1, but this reward is given only when the cycle closes, and the "
        "enrolment ended before, on 4 Jan 2026."
    )
    assert f'data-copy="ABC, c1: {sentence}"' in html
    assert "Ended by sam, Admin: receipt" in words(html)
    assert html.count("Left 4 Jan 2026") == 1


def test_streak_shows_its_count_levels_and_runs(chief):
    target = programme(tracking_type=TrackingType.STREAKS, levels=(1, 2), name="XYZ")
    customer = enrolled(target, achieved=True).customer
    unenroll(customer=customer, target=target, at=NOW, **ACT)
    enroll(customer=customer, target=target, at=NOW, reset_streak=True, **ACT)

    text = words(page(chief, customer))

    assert "Streak of 0 in run 2" in text
    assert "XYZ, level 1 (1): Not reached" in text
    assert "Run 1, since 1 Jan 2026: XYZ, level 1" in text
    assert "Run 2, since 4 Jan 2026: no level yet" in text


@pytest.mark.parametrize(
    ("cycles", "days", "shown"),
    [(5, 0, (1, 5)), (100, 0, (1, 24)), (100, 30 * 49, (33, 56)), (100, 30 * 200, (77, 100))],
)
def test_strip_of_a_long_programme_is_of_the_cycles_around_now(cycles, days, shown):
    participation = enrolled(programme(cycles=cycles))
    at = START + days * DAY
    (standing,) = standings([participation], at)

    lines = around_now(standing.cycles, at)

    assert (lines[0].cycle.number, lines[-1].cycle.number) == shown


def test_each_programme_has_the_buttons_of_what_may_be_done_to_it():
    target = programme(name="ABC")
    stays, left = enrolled(target), enrolled(target)
    receipt = unenroll(customer=left.customer, target=target, at=NOW, **ACT)
    see = ("targets.view_customer", "enrollments.view_participation", "enrollments.view_receipt")
    may = ("enrollments.unenroll", "enrollments.enroll", "enrollments.undo_unenrolment")
    reader, lead = signed_in(staff(*see)), signed_in(staff(*see, *may))
    addresses = [
        f"/participation/unenroll/?id={stays.pk}",
        f"/participation/{left.pk}/re-enrol/",
        f"/receipt/{receipt.pk}/undo/",
    ]

    def offered(client):
        pages = page(client, stays.customer), page(client, left.customer)
        return [[address in each for address in addresses] for each in pages]

    assert offered(reader) == [[False] * 3] * 2
    assert offered(lead) == [[True, False, False], [False, True, True]]
    Brand.objects.update(clock_at=NOW + 2 * DAY)
    assert offered(lead) == [[True, False, False], [False, True, False]]  # too late to be undone


def test_those_he_is_in_come_first_ten_at_a_time(chief):
    brand = sandbox()
    targets = [programme(brand=brand, name=f"P{number}") for number in range(12)]
    customer = enrolled(targets[0]).customer
    for target in targets[1:]:
        enroll(customer=customer, target=target, at=START, **ACT)
    unenroll(customer=customer, target=targets[11], at=NOW, **ACT)

    first, second = (
        re.findall(r'<h3 id="programme-\d+"><a [^>]*>(\w+)', page(chief, customer, programmes=number))
        for number in (1, 2)
    )

    assert first == [f"P{number}" for number in range(10, 0, -1)]
    assert second == ["P0", "P11"]
    assert [">P10</a>" in page(chief, customer, programmes=wrong) for wrong in ("x", "-1", "0")] == [True] * 3


def twins(target, times):
    """More targets of the same group, so that it is cheap to be in a hundred."""
    names = [f"{target.name} {number}" for number in range(times)]
    more = Target.objects.bulk_create(
        Target(brand=target.brand, target_group=target.target_group, name=name, kpi=target.kpi, event_name=name)
        for name in names
    )
    values = list(target.values.all())
    TargetValue.objects.bulk_create(
        TargetValue(target=twin, cycle_id=each.cycle_id, value=each.value) for twin in more for each in values
    )
    return more


def in_many(brand, *, programmes, purchases):
    """A customer with a milestone and a streak, each that often, in one of which he left and came back, who bought."""
    milestone = programme(brand=brand, cycles=2)
    streak = programme(brand=brand, tracking_type=TrackingType.STREAKS, levels=(1,), cycles=2)
    targets = [each for one in (milestone, streak) for each in (one, *twins(one, programmes - 1))]
    customer = enrolled(targets[0]).customer
    for target in targets[1:]:
        enroll(customer=customer, target=target, at=START, **ACT)
    buy(targets[0], customer)
    unenroll(customer=customer, target=targets[0], at=START, **ACT)
    enroll(customer=customer, target=targets[0], at=START, **ACT)
    activities = Activity.objects.bulk_create(
        Activity(
            brand=brand,
            customer=customer,
            event_id=f"{customer.pk} {number}",
            event_name="purchase",
            occurred_at=START - timedelta(minutes=1 + number),
            recorded_at=START - timedelta(minutes=1 + number),
        )
        for number in range(purchases)
    )
    participation = customer.participations.earliest("pk")
    ActivityOutcome.objects.bulk_create(
        ActivityOutcome(
            activity=activity,
            participation=participation,
            reason="cycle_closed",
            cycle_number=1,
        )
        for activity in activities
    )
    return customer


def test_page_takes_as_many_statements_for_a_hundred_programmes_and_three_thousand_entries(chief):
    brand = sandbox()
    few = in_many(brand, programmes=1, purchases=20)
    many = in_many(brand, programmes=50, purchases=3_000)

    older = str(Moment(START - timedelta(minutes=5), Kind.ACTIVITY, 1))
    page(chief, few)  # once before: Django remembers content types

    counts = [statements(chief, each, **query) for query in ({}, {"before": older}) for each in (few, many)]

    rows = [(Participation, 100), (Activity, 3_001), (Grant, 2)]
    assert [model.objects.filter(customer=many).count() for model, _ in rows] == [count for _, count in rows]
    assert (few.participations.count(), len(timeline(few, at_once=100).entries)) == (2, 30)
    assert counts == [25, 25, 22, 22]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ANALYZE enrollments_activity, enrollments_activityoutcome")
    with watched_and_undone() as read:
        page(chief, many, before=older)
    # Of the long tables: the hundred enrolments fit into a page or two, which may well be read from end to end.
    long = {"enrollments_activity", "enrollments_activityoutcome"}
    assert [each for each in read if each.table in long and each.rows > MOST_READ] == []


def test_timeline_tells_everything_newest_first_and_once(chief):
    target = programme(name="ABC", target_value=2, late_days=1)
    customer = enrolled(target, first_name="Ann").customer
    first = record_activity(brand=target.brand, activity=bought("a", customer, START + DAY), at=START + DAY)
    left = unenroll(customer=customer, target=target, at=START + 2 * DAY, reason="By mistake", **STAFF)
    record_activity(brand=target.brand, activity=bought("b", customer, START + 2 * DAY), at=START + 2.5 * DAY)
    receipt = find_receipt(target.brand, left.pk)
    undo_leave(receipt=receipt, at=START + 2.9 * DAY, reason="Sorry", **STAFF)
    unenroll(customer=customer, target=target, at=START + 4 * DAY, effective="endOfCycle", **STAFF)
    cancel_leave(customer=customer, target=target, at=START + 5 * DAY, **STAFF)
    unenroll(customer=customer, target=target, at=START + 6 * DAY, **STAFF)
    enroll(customer=customer, target=target, at=START + 7 * DAY, **STAFF)
    assert first.outcomes[0].value == 1

    told = [(f"{each.at:%d}", each.what, each.who, each.door, each.why) for each in story(customer)[1:]]

    assert story(customer)[0].what == "Registered"  # made by the factory, by the clock of the machine
    assert told == [
        ("08", "Re-enrolled", "sam", "Admin", ""),
        ("07", "Unenrolled", "sam", "Admin", ""),
        ("06", "Leave cancelled", "sam", "Admin", ""),
        ("05", "Leave scheduled", "sam", "Admin", ""),
        ("03", "Unenrolment undone", "sam", "Admin", "Sorry"),
        ("03", "Granted: 100 points", "", "At once", ""),
        ("03", "Achieved c1", "", "", ""),
        ("03", "Unenrolled", "sam", "Admin", "By mistake"),
        ("03", "Activity purchase", "", "", ""),
        ("02", "Activity purchase", "", "", ""),
        ("01", "Enrolled", "test", "API", ""),
    ]
    details = {each.what: each.details for each in story(customer)}
    assert details["Leave scheduled"] == ("Leaves at the end of c1.",)
    assert details["Unenrolment undone"] == (f"Takes back receipt {left.pk}.",)
    assert details["Granted: 100 points"] == ("For c1.",)
    assert details["Re-enrolled"] == ("From c1 on.",)
    whole = timeline(customer)
    assert [each.moment for each in whole.entries] == [each.moment for each in story(customer)]


def bought(event_id, customer, at):
    return ActivityData(event_id, "purchase", customer.customer_id, at)


def test_activities_of_one_instant_are_each_told_once_archived_or_not():
    target = programme(target_value=100)
    customer = enrolled(target).customer
    for number in range(7):
        record_activity(brand=target.brand, activity=bought(f"e{number}", customer, START), at=START)
    later = START + 31 * DAY
    Brand.objects.update(clock_at=later)
    list(close_cycles(brand=target.brand, at=later))
    before = [each.moment for each in story(customer)]
    list(archive_activities(before=later, at_once=4, is_paced=False))
    assert Activity.objects.count() == 0

    after = story(customer)

    assert [each.moment for each in after] == before
    assert [each.details for each in after if each.kind == "activity"] == [
        (f"{target}, c1: +1, then {value}.",) for value in range(7, 0, -1)
    ]
    assert [each.kind for each in story(customer, with_activities=False)] == ["registered", "enrolled"]


def test_what_did_not_count_says_why_and_a_forfeited_reward_is_named():
    target = programme(allocation=Allocation.PERIOD_END)
    customer = enrolled(target, achieved=True).customer
    unenroll(customer=customer, target=target, at=NOW, **STAFF)
    record_activity(brand=target.brand, activity=bought("late", customer, NOW), at=NOW + DAY)
    record_activity(
        brand=target.brand, activity=ActivityData("other", "visit", customer.customer_id, NOW + DAY), at=NOW + DAY
    )

    found = {each.moment.pk: each.details for each in story(customer) if each.kind == "activity"}
    left = next(each for each in story(customer) if each.what == "Unenrolled")

    assert left.details == ("Left c1 and all later cycles.", "The reward of c1 was forfeited.")
    assert list(found.values()) == [
        ("Not counted: no target of the brand matches it.",),
        (f"{target}, c1: not counted: the customer is not a member of that cycle.", "Recorded 5 Jan 2026, 00:00."),
        (f"{target}, c1: +1, then 1.",),
    ]


def test_older_entries_are_reached_by_a_link_and_a_link_that_is_none_shows_the_newest(chief):
    customer = in_many(sandbox(), programmes=1, purchases=40)

    newest = page(chief, customer)
    older = page(chief, customer, before=str(timeline(customer).before))

    shown = [html.count('<span class="when">') for html in (newest, older)]
    assert shown == [30, len(story(customer)) - 30]
    assert (">Older</a>" in newest, ">Older</a>" in older) == (True, False)
    for wrong in ("x", "2026-01-01~2~3", "2026-01-01T00:00:00+00:00~99~3", "~~", "\x00", str(2**70)):
        assert page(chief, customer, before=wrong).count('<span class="when">') == 30
    for outlandish in ("2999-01-01T00:00:00+23:59~6~1", "9999-12-31T23:59:59-23:59~6~1"):
        assert page(chief, customer, before=outlandish).count('<span class="when">') == 30


def test_who_may_not_see_activities_or_enrolments_is_not_told_of_them():
    customer = enrolled(programme(name="ABC"), achieved=True).customer

    neither = page(signed_in(staff("targets.view_customer")), customer)
    no_activities = page(signed_in(staff("targets.view_customer", "enrollments.view_participation")), customer)

    assert [text in neither for text in ("Programmes", "What happened", "ABC")] == [False, False, False]
    assert [text in no_activities for text in ("Programmes", "What happened", "Activity")] == [True, True, False]


def test_names_and_reasons_with_markup_are_text(chief):
    target = programme(name=f"ABC {SCRIPT}")
    customer = enrolled(target, achieved=True, first_name=SCRIPT, email="a@example.org").customer
    unenroll(customer=customer, target=target, at=NOW, reason=f'"> {SCRIPT}', by=SCRIPT, source="ADMIN")
    record_activity(
        brand=target.brand, activity=ActivityData(SCRIPT, SCRIPT, customer.customer_id, NOW, attributes={}), at=NOW
    )

    html = page(chief, customer)

    assert SCRIPT not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6
    assert 'data-copy="ABC &lt;script&gt;' in html


def test_page_of_an_erased_customer_has_a_pseudonym_and_keeps_what_was_given(chief):
    target = programme(name="ABC")
    known = {"first_name": "Annabella", "email": "ann@example.org", "mobile": "+49 30 1", "external_id": "crm-7"}
    customer = enrolled(target, achieved=True, customer_id=423789336, **known).customer
    erase_customer(customer=customer, at=NOW, by="sam", source="ADMIN", reason="Ticket 9")

    html = page(chief, customer)
    text = words(html)

    assert [each for each in ("Annabella", "ann@example", "+49 30 1", "crm-7", "423789336") if each in html] == []
    assert f"Erased {customer.pk}" in text
    assert "Erased4 Jan 2026, 00:00 sam" in text
    assert "Granted on 1 Jan 2026: 100 points. That stays so" in text
    assert [each.what for each in story(customer)][1:] == [
        "Erased",
        "Unenrolled",
        "Granted: 100 points",
        "Achieved c1",
        "Activity purchase",
        "Enrolled",
    ]
    assert Participation.objects.get().receipts.filter(kind=ReceiptKind.UNENROLLED).count() == 1


def test_edit_with_an_error_shows_the_form_first(chief):
    customer = enrolled(Target.objects.get(pk=programme(name="ABC").pk)).customer

    response = chief.post(f"/admin/targets/customer/{customer.pk}/change/", {"email": "no address"})

    html = response.content.decode()
    assert response.status_code == 200
    assert ("errorlist" in html, "What happened" in html) == (True, False)
