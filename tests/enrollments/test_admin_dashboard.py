"""The dashboard of the admin: its numbers, whom it shows them, and what it costs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollments.enums import Effective
from enrollments.operations import unenroll
from targets.enums import Allocation, EvaluationType
from targets.models import Cycle
from targets.operations import Count, Refused, count_refused_calls
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, sandbox, signed_in, staff
from tests.factories import START, BrandFactory

pytestmark = pytest.mark.django_db

PROGRAMMES = ("targets.view_targetgroup", "targets.view_cycle")
RECEIPTS = ("enrollments.view_receipt",)
REFUSED = ("targets.view_refusedcalls",)
TODAY = datetime(2026, 3, 9, 20, tzinfo=UTC)  # the tenth in Kolkata


def shown(client, **query):
    return client.get("/admin/", query).context["dashboard"]


def closing(brand, closes_at):
    """A cycle that is over, but for its late days."""
    target = programme(brand=brand, cycles=1, starts_at=closes_at - timedelta(days=38), late_days=8)
    return Cycle.objects.get(target_group=target.target_group)


def test_it_tells_who_left_what_runs_and_what_is_due():
    brand = sandbox()
    target = programme(brand=brand, allocation=Allocation.PERIOD_END, name="ABC")
    own = programme(brand=brand, name="Own", window=EvaluationType.CYCLIC_WINDOW)
    forfeiting, leaving, *_ = [enrolled(target, achieved=True) for _ in range(3)]
    unenroll(customer=forfeiting.customer, target=target, at=NOW, **ACT)
    unenroll(customer=leaving.customer, target=target, at=NOW, effective=Effective.END_OF_CYCLE, **ACT)
    soon, late, patient = (
        closing(brand, closes_at)
        for closes_at in (NOW + timedelta(days=7), NOW - timedelta(minutes=15), NOW - timedelta(minutes=14))
    )

    board = shown(signed_in(staff(*PROGRAMMES, *RECEIPTS)))

    assert [(each.group.name, str(each.cycle), each.enrolled) for each in board.running] == [
        ("ABC", "c1", 1),
        ("Own", "None", 0),
    ]
    assert own.target_group == board.running[1].group
    assert (board.chart.total.departed, board.chart.total.forfeited, board.chart.highest) == (2, 1, 2)
    assert [bar.height for bar in board.chart.bars[-2:]] == [0, 100]
    assert [bar.lost_height for bar in board.chart.bars[-2:]] == [0, 50]
    assert (board.chart.bars[0].day, len(board.chart.bars)) == (NOW.date() - timedelta(days=29), 30)
    assert board.overdue == [late]
    assert board.closing == [patient, soon]


def test_own_calendars_that_should_have_closed_are_counted():
    target = programme(window=EvaluationType.CYCLIC_WINDOW)
    for due in (timedelta(minutes=15), timedelta(minutes=14)):
        participation = enrolled(target, achieved=True)
        type(participation).objects.filter(pk=participation.pk).update(closes_next_at=NOW - due)

    assert shown(signed_in(staff(*PROGRAMMES))).own_overdue == 1


@pytest.mark.parametrize(
    ("granted", "has_chart", "has_programmes"),
    [((), False, False), (RECEIPTS, True, False), (PROGRAMMES, False, True), (PROGRAMMES[:1], False, False)],
)
def test_it_shows_what_he_may_see_elsewhere_too(granted, has_chart, has_programmes):
    enrolled(programme())

    page = signed_in(staff(*granted, "targets.view_brand")).get("/admin/")

    board = page.context["dashboard"]
    assert (board.chart is not None, board.running is not None) == (has_chart, has_programmes)
    assert (b"Who left" in page.content, b"What runs" in page.content) == (has_chart, has_programmes)


def test_another_brand_is_asked_for_in_vain():
    mine, other = BrandFactory(name="Mine"), BrandFactory(name="Other")
    client = signed_in(staff(*PROGRAMMES, *RECEIPTS, brands=[mine]))

    boards = [shown(client, brand=wanted) for wanted in (other.pk, mine.pk, "x", 2**70)]

    assert [(each.brand, each.brands) for each in boards] == [(mine, [mine])] * 4
    assert shown(signed_in(staff(*PROGRAMMES, brands=[]))) is None


def test_brand_is_chosen_and_sandboxes_come_last():
    sandbox_brand, real = sandbox(), BrandFactory()
    client = signed_in(staff(*PROGRAMMES))

    assert shown(client).brand == real
    assert shown(client, brand=sandbox_brand.pk).brand == sandbox_brand
    assert shown(client, brand=sandbox_brand.pk).now == NOW


def refused(brand, *counted):
    """`counted`: (days ago, call, code, how often)."""
    last = TODAY.date() + timedelta(days=1)
    count_refused_calls(
        {
            Refused(brand.pk, last - timedelta(days=ago), operation, code): Count(
                calls, TODAY - timedelta(days=ago), "till", f"r{ago}"
            )
            for ago, operation, code, calls in counted
        }
    )


def test_it_tells_which_calls_were_refused_in_seven_days_and_since_when(monkeypatch):
    brand = BrandFactory(time_zone="Asia/Kolkata")
    refused(
        brand,
        (0, "PUT /v3/customers/{customerId}", 300004, 3),
        (0, "POST /v3/activities", 310011, 1),
        (5, "GET /v3/customers/{customerId}", 310011, 1200),
        (6, "GET /v3/receipts", 999, 1),
        (7, "GET /v3/receipts", 4000, 1000),
    )
    refused(BrandFactory(), (0, "GET /v3/receipts", 4000, 1000))
    monkeypatch.setattr("enrollments.admin.dashboard.timezone.now", lambda: TODAY)

    page = signed_in(staff(*REFUSED, brands=[brand])).get("/admin/")

    board = page.context["dashboard"].refused
    unknown = "Invalid user id: this brand has no such customer."
    assert (board.calls, board.has_more) == (1205, False)
    assert [(each.code, each.meaning, each.calls, each.since.isoformat()) for each in board.codes] == [
        (310011, unknown, 1201, "2026-03-05"),
        (300004, "Invalid input.", 3, "2026-03-10"),
        (999, "", 1, "2026-03-04"),
    ]
    assert board.codes[0].last_at == TODAY
    html = page.content.decode()
    assert "1,201 × " in html
    assert f"?brand__id__exact={brand.pk}&amp;code=310011" in html
    assert f'{unknown} <span class="quiet">since Thu 5 Mar' in html


def test_refused_calls_are_shown_with_their_permission_only():
    brand = BrandFactory()

    boards = [shown(signed_in(staff(*granted, brands=[brand]))) for granted in (REFUSED, PROGRAMMES + RECEIPTS)]

    assert [board.refused is not None for board in boards] == [True, False]


def test_refused_calls_of_a_sandbox_are_of_real_days():
    brand = sandbox()
    now = timezone.now()
    count_refused_calls({Refused(brand.pk, now.date(), "GET /v3/receipts", 4000): Count(3, now, "till", "r")})

    page = signed_in(staff(*REFUSED, brands=[brand])).get("/admin/")

    assert page.context["dashboard"].refused.calls == 3
    assert "By the real clock." in page.content.decode()


@pytest.mark.parametrize("number", [1, 100])
def test_it_costs_the_same_for_one_programme_and_for_a_hundred(number):
    brand = sandbox()
    targets = [programme(brand=brand, cycles=1, rewarded=False) for _ in range(number)]
    enrolled(targets[0])
    count_refused_calls(
        {
            Refused(brand.pk, timezone.now().date(), "GET /v3/receipts", code): Count(1, timezone.now(), "till", "r")
            for code in range(number)
        }
    )
    client = signed_in(staff(*PROGRAMMES, *RECEIPTS, *REFUSED, brands=[brand]))
    client.get("/admin/")  # content types are remembered

    with CaptureQueriesContext(connection) as queries:
        board = shown(client)

    assert len(queries) == 13
    assert board.refused.calls == number
    assert len(board.running) == min(number, 11)
    assert board.closing == []
    assert board.now - START == timedelta(days=3)
