"""A quota shared by processes through leases: never much more, never much less, and rarely a statement."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from targets.models import QuotaUse
from targets.quota import Leases
from tests.factories import ApiUserFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
T = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def api_user(quota):
    return ApiUserFactory(requests_per_minute=quota)


def spent(process, who, at, tries):
    """How many of `tries` single units were granted."""
    return sum(process.spend(who, units=1, at=at) == 0 for _ in range(tries))


def statements(run):
    with CaptureQueriesContext(connection) as captured:
        run()
    return len(captured)


def used(who):
    return QuotaUse.objects.values_list("used", flat=True).get(api_user=who)


@pytest.mark.parametrize("quota", [1, 7, 600])
def test_one_process_spends_the_quota_to_the_last_unit_and_no_more(quota):
    who, process = api_user(quota), Leases()

    granted = spent(process, who, T, 2 * quota)

    assert quota <= granted <= quota + quota // 10
    assert granted == used(who)


def test_seconds_to_wait_are_those_to_the_next_minute_rounded_up():
    who, process = api_user(1), Leases()
    process.spend(who, units=1, at=T)

    waits = [process.spend(who, units=1, at=T + timedelta(seconds=s)) for s in (0, 12.3, 59, 59.999)]

    assert waits == [60, 48, 1, 1]


def test_new_minute_brings_a_new_quota_and_what_was_not_spent_is_gone():
    who, process = api_user(600), Leases()
    spent(process, who, T, 50)

    granted = spent(process, who, T + MINUTE, 1000)

    assert 600 <= granted <= 660


def test_refusal_ends_with_the_minute():
    who, process = api_user(5), Leases()
    spent(process, who, T + 59 * MINUTE / 60, 10)

    assert process.spend(who, units=1, at=T + MINUTE) == 0


def test_two_processes_in_turn_share_one_quota():
    who, processes = api_user(1000), [Leases(), Leases()]

    granted = sum(spent(each, who, T, 1) for _ in range(1500) for each in processes)

    assert 1000 <= granted <= 1100


def test_idle_processes_keep_no_more_than_a_little_each():
    who, idle, busy = api_user(1000), [Leases() for _ in range(10)], Leases()

    granted = sum(spent(each, who, T, 1) for each in idle) + spent(busy, who, T, 2000)

    assert granted >= 1000 - 10 * 9  # a first lease is 1 % of the quota


def test_clients_have_a_quota_each():
    first, second, process = api_user(5), api_user(5), Leases()
    spent(process, first, T, 10)

    assert spent(process, second, T, 10) == 5


def test_user_without_limit_costs_no_statement(settings):
    settings.REQUESTS_PER_MINUTE = 1
    who, process = api_user(0), Leases()

    assert statements(lambda: spent(process, who, T, 100)) == 0
    assert spent(process, who, T, 100) == 100


def test_user_without_a_quota_of_his_own_has_that_of_the_setting(settings):
    settings.REQUESTS_PER_MINUTE = 3
    who, process = api_user(None), Leases()

    assert spent(process, who, T, 10) == 3


def test_changed_quota_holds_at_once():
    who, process = api_user(3), Leases()
    spent(process, who, T, 10)

    who.requests_per_minute = 8

    assert spent(process, who, T, 10) == 5


def test_lowered_quota_makes_no_debt_of_what_the_higher_one_allowed():
    who, process = api_user(600), Leases()
    spent(process, who, T, 600)

    who.requests_per_minute = 10

    assert process.spend(who, units=1, at=T) == 60
    assert [spent(process, who, T + minutes * MINUTE, 20) for minutes in (1, 2)] == [10, 10]


def test_debt_is_of_as_many_minutes_under_a_lowered_quota():
    who, process = api_user(10), Leases()
    process.spend(who, units=35, at=T)

    who.requests_per_minute = 2

    assert process.spend(who, units=1, at=T) == 180
    assert [spent(process, who, T + minutes * MINUTE, 20) for minutes in (2, 3, 4)] == [0, 1, 2]


@pytest.mark.parametrize(("quota", "expected"), [(6000, 2), (1000, 4)])
def test_hundred_requests_take_few_statements(quota, expected):
    who, process = api_user(quota), Leases()

    assert statements(lambda: spent(process, who, T, 100)) == expected


def test_refusals_take_no_statement_once_the_quota_is_known_to_be_used_up():
    who, process = api_user(3), Leases()
    spent(process, who, T, 4)

    assert statements(lambda: spent(process, who, T, 100)) == 0


def test_bulk_call_heavier_than_the_quota_is_possible_and_paid_by_the_minutes_that_follow():
    who, process, other = api_user(10), Leases(), Leases()

    assert process.spend(who, units=35, at=T) == 0
    assert [each.spend(who, units=1, at=T) for each in (process, other)] == [180, 180]
    assert other.spend(who, units=1, at=T + 2 * MINUTE) == 60
    assert spent(process, who, T + 3 * MINUTE, 20) == 5
    assert spent(process, who, T + 4 * MINUTE, 20) == 10


def test_bulk_call_is_refused_and_not_charged_where_nothing_is_left():
    who, process = api_user(10), Leases()
    spent(process, who, T, 10)
    before = used(who)

    assert process.spend(who, units=5, at=T) == 60
    assert used(who) == before == 10


def test_debt_is_not_forgotten_by_a_process_whose_clock_is_a_little_ahead():
    who, ahead, behind = api_user(10), Leases(), Leases()
    spent(ahead, who, T + MINUTE, 10)

    granted = spent(behind, who, T + MINUTE - timedelta(seconds=1), 10)

    assert (granted, used(who)) == (0, 10)


def test_clock_that_is_far_ahead_does_not_shut_out_the_others():
    who, wrong, right = api_user(10), Leases(), Leases()
    spent(wrong, who, T + 60 * MINUTE, 9)

    granted = [spent(right, who, T + minutes * MINUTE, 10) for minutes in range(3)]

    assert granted == [1, 10, 10]


def test_lost_database_is_an_error_and_spends_nothing(monkeypatch):
    who, process = api_user(10), Leases()

    def away(**_):
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patched:
        patched.setattr("targets.quota.take_units", away)
        with pytest.raises(OperationalError):
            process.spend(who, units=1, at=T)

    assert spent(process, who, T, 20) == 10


@pytest.mark.django_db(transaction=True)
def test_processes_at_once_share_one_quota():
    """Each thread has leases and a connection of its own, as a process has."""
    who, start = api_user(1000), Barrier(4)

    def run():
        process = Leases()
        start.wait()
        try:
            return spent(process, who, T, 600)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        granted = sum(each.result() for each in [threads.submit(run) for _ in range(4)])

    unspent = used(who) - granted  # in leases of those who had tried often enough
    assert 1000 <= used(who) <= 1100
    assert (granted <= 1100, unspent <= 4 * 100) == (True, True)


@pytest.mark.django_db(transaction=True)
def test_threads_of_one_process_spend_one_lease_and_lose_no_unit():
    who, process, start = api_user(400), Leases(), Barrier(4)
    process.spend(who, units=1, at=T)

    def run():
        start.wait()
        try:
            return spent(process, who, T, 200)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        granted = sum(each.result() for each in [threads.submit(run) for _ in range(4)])

    assert 1 + granted == used(who)
    assert 400 <= used(who) <= 440
