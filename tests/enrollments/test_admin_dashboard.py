"""The dashboard of the admin: its numbers, whom it shows them, and what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.enums import Effective
from enrollments.operations import unenroll
from targets.enums import Allocation, EvaluationType
from targets.models import Cycle
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, sandbox, signed_in, staff
from tests.factories import START, BrandFactory

pytestmark = pytest.mark.django_db

PROGRAMMES = ("targets.view_targetgroup", "targets.view_cycle")
RECEIPTS = ("enrollments.view_receipt",)


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


@pytest.mark.parametrize("number", [1, 100])
def test_it_costs_the_same_for_one_programme_and_for_a_hundred(number):
    brand = sandbox()
    targets = [programme(brand=brand, cycles=1, rewarded=False) for _ in range(number)]
    enrolled(targets[0])
    client = signed_in(staff(*PROGRAMMES, *RECEIPTS, brands=[brand]))
    client.get("/admin/")  # content types are remembered

    with CaptureQueriesContext(connection) as queries:
        board = shown(client)

    assert len(queries) == 12
    assert len(board.running) == min(number, 11)
    assert board.closing == []
    assert board.now - START == timedelta(days=3)
