"""Refused calls are counted for support: later, all at once, and never in the way of an answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection

import pytest
import simplejson
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config import refused_calls
from config.refused_calls import RefusedCalls, operation_of, start_in_a_thread
from config.schema import schema_bytes
from targets.access import Role, access_group
from targets.models import RefusedCalls as Row
from targets.operations import Count, Refused, count_refused_calls
from targets.operations import refused_calls as counting
from tests.concurrency.workers import url_of_this_database
from tests.conftest import basic, new_client
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory, CustomerFactory, make_programme
from tests.idempotency import tell
from tests.isolation.calls import all_calls
from tests.serving import served

AT = datetime(2026, 3, 9, 20, tzinfo=UTC)  # the tenth in Kolkata
KIND = Refused(1, date(2026, 3, 9), "PUT /v3/clock", 300011)


class Collector(RefusedCalls):
    """Starts nothing by itself: `started` has what would be, with the seconds after which."""

    def __init__(self, **details):
        self.started = []
        super().__init__(start=lambda *what: self.started.append(what), **details)

    def wait(self):
        """Let the seconds pass."""
        started, self.started = self.started, []
        for _, function in started:
            function()


class Store(list):
    """Keeps what it is given, or fails as often as it is told to."""

    def __init__(self):
        self.failures = 0

    def __call__(self, counted):
        if self.failures:
            self.failures -= 1
            raise OperationalError("server closed the connection\nunexpectedly")
        self.append(dict(counted))


def broken(*_, **__):
    raise RuntimeError


def noted(collector, kind=KIND, *, second=0, by="till", request_id="r"):
    collector.note(kind, at=AT + timedelta(seconds=second), by=by, request_id=request_id)


@pytest.fixture
def switched_on(settings):
    settings.REFUSED_CALLS_SECONDS = 5


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def collector(switched_on, store):
    return Collector(store=store)


# Collecting


def test_it_is_written_some_seconds_after_the_first_and_all_at_once(collector, store):
    for number in range(1000):
        noted(collector, second=number % 7, request_id=f"r{number}")
    noted(collector, KIND._replace(code=4000))
    seconds = [each for each, _ in collector.started]

    collector.wait()
    collector.wait()

    last = Count(1000, AT + timedelta(seconds=6), "till", "r993")
    assert (seconds, store) == ([5], [{KIND: last, KIND._replace(code=4000): Count(1, AT, "till", "r")}])


def test_after_writing_the_next_one_is_a_first_one(collector, store):
    for _ in range(2):
        noted(collector)
        collector.wait()

    assert (len(store), collector.started) == (2, [])


def test_many_threads_lose_and_double_nothing(collector, store):
    def refused_and_written(thread):
        for number in range(300):
            noted(collector, KIND._replace(code=number % 3))
            if number % 50 == thread:
                collector.write()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(refused_and_written, range(8)))
    collector.write()

    assert [sum(each[kind].calls for each in store if kind in each) for kind in kinds(3)] == [800] * 3


def kinds(number):
    return [KIND._replace(code=code) for code in range(number)]


def test_what_cannot_be_written_is_kept_and_the_log_told_once(collector, store, caplog):
    store.failures = 2
    noted(collector, request_id="first")
    for _ in range(2):
        collector.wait()
        noted(collector, second=1, request_id="later")

    collector.wait()

    told = "Refused calls cannot be counted now: server closed the connection unexpectedly"
    assert store == [{KIND: Count(3, AT + timedelta(seconds=1), "till", "later")}]
    assert (caplog.messages, collector.started) == ([told], [])
    store.failures = 1
    noted(collector)
    collector.wait()
    assert (caplog.messages, len(collector.started)) == ([told, told], 1)


def test_where_no_thread_can_be_started_the_next_refusal_tries_again(switched_on, store):
    collector = RefusedCalls(store=store, start=broken)
    noted(collector)
    collector._start = lambda seconds, function: function()

    noted(collector)

    assert store == [{KIND: Count(2, AT, "till", "r")}]


def test_no_more_kinds_are_kept_than_there_is_room_for(switched_on, store):
    collector = Collector(store=store, most=2)

    for kind in [*kinds(3), *kinds(3)]:
        noted(collector, kind)
    collector.wait()

    assert [(kind, count.calls) for kind, count in store[0].items()] == [(each, 2) for each in kinds(2)]


def test_with_0_seconds_nothing_is_counted(collector, store, settings):
    settings.REFUSED_CALLS_SECONDS = 0

    noted(collector)
    collector.write_last()

    assert (store, collector.started) == ([], [])


def test_process_that_ends_writes_what_is_left_or_loses_it(collector, store):
    noted(collector)
    collector.write_last()
    noted(collector)
    collector.started.clear()
    store.failures = 1

    collector.write_last()

    assert (store, collector.started) == ([{KIND: Count(1, AT, "till", "r")}], [])


# Counting


@pytest.fixture
def site_of(db, switched_on, monkeypatch):
    """Refusals of real calls, counted as soon as `counted()` asks."""
    collector = Collector()
    monkeypatch.setattr(refused_calls, "refused_calls", collector)
    monkeypatch.setattr("config.refused_calls.timezone.now", lambda: AT)

    def site(**brand):
        api_user = ApiUserFactory(brand=BrandFactory(**brand))
        client = new_client(api_user.user.username, SECRET)
        client.collector = collector
        client.api_user = api_user
        return client

    return site


def counted(client):
    client.collector.wait()
    return [
        (each.brand, each.day.isoformat(), each.operation, each.code, each.calls, each.last_by, each.last_request_id)
        for each in Row.objects.order_by("pk")
    ]


def test_refused_call_is_counted_on_the_day_of_its_brand_with_or_without_v3(site_of):
    client = site_of(time_zone="Asia/Kolkata")

    seen = []
    for path, name in (("/v3/targetGroups/1/targets/2/unEnroll", "a"), ("/targetGroups/3/targets/4/unEnroll", "b")):
        client.post(path, [{"customerId": 5}], headers={"X-Request-ID": name})
        seen += counted(client)

    operation = "POST /v3/targetGroups/{targetGroupId}/targets/{targetId}/unEnroll"
    what = (client.api_user.brand, "2026-03-10", operation, 310017)
    by = client.api_user.user.username
    assert seen == [(*what, 1, by, "a"), (*what, 2, by, "b")]
    assert Row.objects.get().last_at == AT


REFUSALS = {
    "invalid": (lambda client: client.post("/v3/customers/bulk", {"x": 1}), "POST /v3/customers/bulk", 300004),
    "not found": (lambda client: client.head("/v3/customers/5"), "HEAD /v3/customers/{customerId}", 310011),
    "method": (lambda client: client.generic("PATCH", "/v3/clock"), "PATCH /v3/clock", 4050),
    "made-up method": (lambda client: client.generic("BREW", "/v3/clock"), "OTHER /v3/clock", 4050),
    "media type": (
        lambda client: client.generic("PUT", "/v3/customers/5", "x", "text/plain"),
        "PUT /v3/customers/{customerId}",
        4150,
    ),
}


@pytest.mark.parametrize(("call", "operation", "code"), REFUSALS.values(), ids=REFUSALS)
def test_every_kind_of_refusal_is_counted_by_its_first_code(call, operation, code, site_of):
    client = site_of()

    call(client)

    assert [row[2:5] for row in counted(client)] == [(operation, code, 1)]


def test_missing_permission_and_our_own_fault_are_counted_too(site_of, monkeypatch):
    client = site_of()
    client.api_user.user.groups.set([access_group(Role.READ_ONLY)])
    client.put("/v3/customers/5", {})
    monkeypatch.setattr("targets.api.customers.CustomerView.get", broken)

    client.get("/v3/customers/5")

    assert [row[3] for row in counted(client)] == [5000, 4000]  # in the order of the calls' names


def test_repeated_refusal_under_a_key_is_counted_each_time(site_of):
    client = site_of()
    target = make_programme(brand=client.api_user.brand)
    path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"

    told = [tell(client, "POST", path, [{"customerId": 5}]) for _ in range(2)]

    assert [(each.code, each.is_repeated) for each in told] == [(310011, False), (310011, True)]
    assert [row[3:5] for row in counted(client)] == [(310011, 2)]


def test_who_is_not_recognised_and_what_succeeds_is_not_counted(site_of):
    client = site_of()
    target = make_programme(brand=client.api_user.brand)
    many = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll/bulk"
    calls = (
        (new_client("nobody", SECRET).get("/v3/receipts"), 401),
        (client.get("/v3/nothing"), 404),
        (client.get("/v3/receipts"), 200),
        (client.post(many, {"customerIds": [5, 6]}), 200),  # neither is known: each is refused, the call is not
    )

    assert [response.status_code for response, _ in calls] == [status for _, status in calls]
    assert (counted(client), client.collector.started) == ([], [])


def test_calls_cost_no_statement_more_whether_they_succeed_or_not(site_of, settings):
    client = site_of()
    CustomerFactory(brand=client.api_user.brand, customer_id=7)
    client.get("/v3/customers/7")

    def statements():
        with CaptureQueriesContext(connection) as queries:
            answers = [client.get(f"/v3/customers/{number}").content for number in (7, 8)]
        return len(queries), answers

    counting_all = statements()
    settings.REFUSED_CALLS_SECONDS = 0

    assert statements() == counting_all
    assert [row[4] for row in counted(client)] == [1]


def test_brands_are_counted_apart(site_of):
    clients = [site_of(name=name) for name in ("Mine", "Other")]
    for client, number in zip(clients, (1, 2), strict=True):
        for _ in range(number):
            client.get("/v3/customers/5")

    found = counted(clients[0])

    assert [(row[0].name, row[4], row[5]) for row in found] == [
        (client.api_user.brand.name, number, client.api_user.user.username)
        for client, number in zip(clients, (1, 2), strict=True)
    ]


def test_earlier_refusal_that_is_written_later_is_counted_and_the_last_stays(db):
    kind = KIND._replace(brand_id=BrandFactory().pk)
    for second, by in ((5, "late"), (3, "early")):
        count_refused_calls({kind: Count(2, AT + timedelta(seconds=second), by, by)})

    row = Row.objects.get()
    assert (row.calls, row.last_at, row.last_by, row.last_request_id) == (4, AT + timedelta(seconds=5), "late", "late")


def test_many_kinds_are_one_statement_and_a_brand_that_is_gone_keeps_none_from_being_counted(db):
    brand = BrandFactory()
    found = [each._replace(brand_id=brand.pk) for each in kinds(50)]

    with CaptureQueriesContext(connection) as queries:
        count_refused_calls(dict.fromkeys([KIND._replace(brand_id=2**40), *found], Count(1, AT, "till", "r")))

    assert [each["sql"].split()[0] for each in queries] == ["SAVEPOINT", "SET", "INSERT", "RELEASE"]
    assert sorted(Row.objects.values_list("brand", "code")) == [(brand.pk, code) for code in range(50)]


@pytest.mark.django_db(transaction=True)
def test_lock_of_somebody_else_is_not_waited_for(switched_on, monkeypatch, caplog):
    monkeypatch.setattr(counting, "IMPATIENTLY", "SET LOCAL lock_timeout = '1ms'")
    collector = Collector()
    noted(collector, KIND._replace(brand_id=BrandFactory().pk))

    def write_elsewhere():
        collector.wait()
        connection.close()

    with transaction.atomic(), connection.cursor() as cursor, ThreadPoolExecutor(1) as other:
        cursor.execute("LOCK TABLE targets_refusedcalls")
        other.submit(write_elsewhere).result()

    assert [each.partition(": ")[0] for each in caplog.messages] == ["Refused calls cannot be counted now"]
    assert not Row.objects.exists()
    collector.wait()
    assert Row.objects.get().calls == 1


# For real


@pytest.mark.django_db(transaction=True)
def test_thread_that_writes_closes_its_connection(switched_on):
    used = []

    def store(counted):
        count_refused_calls(counted)
        used.append(connection.connection)

    collector = RefusedCalls(store=store, start=lambda seconds, function: start_in_a_thread(0, function))
    noted(collector, KIND._replace(brand_id=BrandFactory().pk))
    for each in threading.enumerate():
        if isinstance(each, threading.Timer):
            assert each.daemon
            each.join()

    assert [each.closed for each in used] == [1]
    assert Row.objects.get().calls == 1


@pytest.mark.django_db(transaction=True)
def test_web_server_that_is_told_to_stop_writes_what_is_left(tmp_path):
    api_user = ApiUserFactory()
    environment = {"DATABASE_URL": url_of_this_database(), "REFUSED_CALLS_SECONDS": "300"}
    with served(tmp_path / "log", workers=1, environment=environment) as port:
        client = HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("GET", "/v3/customers/5", headers={"Authorization": basic(api_user.user.username, SECRET)})
        code = simplejson.loads(client.getresponse().read())["errors"][0]["code"]
        client.close()
        before = Row.objects.count()

    row = Row.objects.get()
    assert (code, before, row.code, row.calls, row.brand) == (310011, 0, 310011, 1, api_user.brand)


def test_call_is_named_as_the_documentation_names_it():
    documented = {
        f"{method.upper()} {path}"
        for path, methods in simplejson.loads(schema_bytes())["paths"].items()
        for method in methods
    }

    names = {operation_of(call.method.upper(), call.path) for call in all_calls()}

    assert names <= documented
    assert max(map(len, names)) + len("OPTIONS") < Row._meta.get_field("operation").max_length


def test_refusals_of_a_sandbox_are_of_the_real_day(site_of):
    client = site_of(sandbox=True, clock_at=START)

    client.get("/v3/customers/5")

    assert [row[1] for row in counted(client)] == ["2026-03-09"]
