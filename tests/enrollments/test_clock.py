"""The clock of a sandbox brand over HTTP (api.md 3)."""

from datetime import timedelta

from django.db import OperationalError

from enrollments.operations import change_reward, closing, set_group_active
from rewards.enums import RewardKind
from rewards.models import Reward
from rewards.operations import RewardData
from targets.models import Brand, Cycle
from tests.conftest import SECRET
from tests.factories import START, ApiUserFactory, BrandFactory, CustomerFactory, make_programme

DAY = timedelta(days=1)


def enrol(site, target, customer_id):
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/enroll"
    return site.post(path, [{"customerId": customer_id}])


def test_clock_answers_in_utc_what_was_set_with_another_offset(site):
    status, answer = site.put("/v3/clock", {"now": "2026-01-15T09:00:00+05:30"})

    assert (status, answer["data"]) == (200, {"now": "2026-01-15T03:30:00+00:00", "sandbox": True})
    assert site.get("/v3/clock")[1]["data"] == answer["data"]


def test_clock_goes_back_while_nobody_is_enrolled_and_opens_the_cycles_again(site):
    target = make_programme(brand=site.brand)
    site.set_clock("2026-03-15T00:00:00Z")
    closed = Cycle.objects.filter(target_group=target.target_group, closed_at__isnull=False).count()

    site.set_clock("2026-01-15T00:00:00Z")

    assert closed == 2
    assert not Cycle.objects.filter(target_group=target.target_group, closed_at__isnull=False).exists()


def test_clock_that_goes_back_takes_what_is_promised_with_it(site):
    target = make_programme(brand=site.brand, starts_at=START + 80 * DAY)
    for name, day in (("Cake", 81), ("Coffee", 82)):
        change_reward(target=target, reward=RewardData(name, RewardKind.BADGE), at=START + day * DAY, by="test")
    site.set_clock("2026-03-25T00:00:00Z")

    site.set_clock("2026-01-15T00:00:00Z")

    back = START + 14 * DAY
    assert [*Reward.objects.order_by("pk").values_list("name", "created_at", "retired_at")] == [
        ("100 points", back, back),
        ("Cake", back, back),
        ("Coffee", back, None),
    ]


def test_clock_that_goes_back_takes_with_it_what_was_frozen(site):
    group = make_programme(brand=site.brand).target_group
    for day, is_active in ((81, False), (82, True), (83, False)):
        set_group_active(target_group=group, is_active=is_active, at=START + day * DAY, by="test")
    site.set_clock("2026-03-30T00:00:00Z")

    site.set_clock("2026-01-15T00:00:00Z")

    back = START + 14 * DAY
    assert [*group.inactivities.order_by("pk").values_list("began_at", "ended_at")] == [(back, back), (back, None)]


def test_clock_goes_forward_only_once_somebody_is_enrolled(site):
    target = make_programme(brand=site.brand)
    customer = CustomerFactory(brand=site.brand)
    enrol(site, target, customer.customer_id)
    before = Brand.objects.get(pk=site.brand.pk).clock_at

    status, answer = site.put("/v3/clock", {"now": (before - DAY).isoformat()})

    assert (status, answer["errors"][0]["code"], answer["errors"][0]["field"]) == (400, 300004, "now")
    assert Brand.objects.get(pk=site.brand.pk).clock_at == before


def test_clock_closes_on_its_way_each_cycle_at_its_closing_instant(site):
    target = make_programme(brand=site.brand, late_days=2)
    customer = CustomerFactory(brand=site.brand)
    enrol(site, target, customer.customer_id)

    site.set_clock("2026-03-20T00:00:00Z")

    closed = Cycle.objects.filter(target_group=target.target_group, paid_at__isnull=False)
    assert [(each.number, each.closed_at) for each in closed] == [
        (1, START + 32 * DAY),
        (2, START + 62 * DAY),
    ]


def test_clock_stops_after_a_thousand_closes_and_says_so(site, monkeypatch):
    monkeypatch.setattr("enrollments.operations.clock.CLOSES_A_STEP", 2)
    make_programme(brand=site.brand)

    first, answer = site.put("/v3/clock", {"now": "2026-06-30T00:00:00Z"})
    again = [site.put("/v3/clock", {"now": "2026-06-30T00:00:00Z"})[1] for _ in range(2)]

    assert (first, answer["data"]["now"]) == (200, (START + 60 * DAY).isoformat())
    assert [warning["code"] for warning in answer["warnings"]] == [310202]
    assert [each["data"]["now"] for each in again] == [(START + 120 * DAY).isoformat(), "2026-06-30T00:00:00+00:00"]
    assert again[-1]["warnings"] is None


def test_brand_with_the_real_time_has_no_clock(db, client_of):
    brand = BrandFactory()
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)

    answers = [client.get("/v3/clock"), client.put("/v3/clock", {"now": "2026-01-15T09:00:00+05:30"}, format="json")]

    assert [(each.status_code, each.json()["errors"][0]["code"]) for each in answers] == [(409, 300011)] * 2
    assert Brand.objects.get(pk=brand.pk).clock_at is None


def test_naive_instant_is_refused(site):
    before = site.get("/v3/clock")[1]["data"]

    status, answer = site.put("/v3/clock", {"now": "2026-01-15T09:00:00"})

    assert (status, answer["errors"][0]["code"], answer["errors"][0]["field"]) == (400, 300004, "now")
    assert site.get("/v3/clock")[1]["data"] == before


def test_failure_on_the_way_leaves_no_cycle_closed_ahead_of_the_clock(site, monkeypatch):
    target = make_programme(brand=site.brand)
    customer = CustomerFactory(brand=site.brand)
    enrol(site, target, customer.customer_id)
    pay_chunk = closing._pay_chunk

    def fail_at_the_second(cycle, at, **how):
        if cycle.number == 2:
            raise OperationalError("canceling statement due to lock timeout")
        return pay_chunk(cycle, at, **how)

    with monkeypatch.context() as patch:
        patch.setattr(closing, "_pay_chunk", fail_at_the_second)
        status, _ = site.put("/v3/clock", {"now": "2026-03-20T00:00:00Z"})
    now = site.get("/v3/clock")[1]["data"]["now"]
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"
    left = site.post(path, [{"customerId": customer.customer_id}])
    again = site.put("/v3/clock", {"now": "2026-03-20T00:00:00Z"})

    assert (status, now) == (503, (START + 60 * DAY).isoformat())
    assert (left[0], again[0]) == (200, 200)
    assert Cycle.objects.filter(target_group=target.target_group, paid_at__isnull=False).count() == 2
