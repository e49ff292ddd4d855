"""Reading calls answered from a replica: a second connection to the test's database, which takes no writes."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import InternalError, OperationalError, connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from enrollments.models import Receipt
from targets import recent_writes, replica
from targets.models import ApiUser, Customer, StaffBrand, StoredAnswer
from targets.operations import create_api_client
from tests.conftest import basic, new_site
from tests.factories import SECRET, ApiUserFactory
from tests.idempotency import tell
from tests.isolation.calls import all_calls
from tests.isolation.scene import wait_until_feeds_show
from tests.journeys.programme import CUSTOMER, Programme

PROMOTED = "SELECT NULL::bigint"


def client_of(username, password):
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=basic(username, password))
    return client


@pytest.fixture(scope="module")
def db(django_db_setup, django_db_blocker):
    """Instead of pytest-django's: what is written is committed, for two connections; flushed after the last test."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def committed(db):
    """A programme whose customer reached the target and left."""
    abc = Programme.milestone(new_site())
    abc.go_to(1)
    abc.enroll()
    abc.buy(2)
    abc.unenroll()
    wait_until_feeds_show(Receipt.objects.latest("transaction_id").transaction_id)
    return abc


@pytest.fixture
def alias(committed, settings, monkeypatch):
    """The settings of the connection that stands for the replica; it has replayed everything."""
    own = copy.deepcopy(connections.settings["default"])
    own["OPTIONS"]["options"] += " -c default_transaction_read_only=on"
    monkeypatch.setitem(connections.settings, replica.REPLICA, own)
    settings.DATABASE_ROUTERS = ["targets.replica.Router"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "config.recent_writes.RecentWritesMiddleware"]
    monkeypatch.setattr(replica, "closeness", replica.Closeness())
    monkeypatch.setattr("config.recent_writes.recent_writes", recent_writes.RecentWrites())
    monkeypatch.setattr(replica, "REPLAYED", replica.WRITTEN)
    yield own
    connections[replica.REPLICA].close()
    del connections[replica.REPLICA]


@pytest.fixture
def abc(alias, committed):
    """Its client has the middleware of these settings; its maker last wrote long ago."""
    committed.site.client = client_of(committed.site.username, SECRET)
    forget_writes()
    return committed


def forget_writes():
    ApiUser.objects.update(reads_primary_until=None)
    replica.closeness.is_close()


def paths(abc):
    """Every reading call that may be answered from the replica."""
    target_id = abc.group["targets"][0]["id"]
    return [
        f"/v3{abc.path}/enrollments/{CUSTOMER}",
        f"/v3/users/{CUSTOMER}/targetGroups?includeInactive=true",
        f"/v3/users/{CUSTOMER}/trackedTargetEvents/{target_id}",
        "/v3/targetGroups?includePeriods=true",
        f"/v3/targetGroups/{abc.group['id']}",
        f"/v3/targetGroups/{abc.group['id']}/targetPeriods",
        f"/v3/targetGroups/{abc.group['id']}/targets",
        "/v3/receipts",
        f"/v3/receipts/{Receipt.objects.earliest('pk').pk}",
        "/v3/rewardGrants",
        f"/v3/customers/{CUSTOMER}",
    ]


def read(site, path):
    """The answer, and how many statements primary and replica were asked."""
    with CaptureQueriesContext(connection) as primary, CaptureQueriesContext(connections["replica"]) as second:
        response = site.client.get(path)
    return response, len(primary), len(second)


def test_every_reading_call_but_that_of_the_clock_tolerates_lag():
    found = {
        call.path
        for call in all_calls()
        if call.method == "get" and not getattr(getattr(call.view, call.action), "tolerates_lag", False)
    }

    assert found == {"v3/clock"}  # what it answers was read with who calls


def test_nothing_that_changes_something_tolerates_lag():
    handlers = {getattr(call.view, call.action) for call in all_calls() if call.method != "get"}

    assert len(handlers) > 5
    assert [each.__qualname__ for each in handlers if hasattr(each, "tolerates_lag")] == []


def test_reading_calls_ask_the_primary_only_who_calls_and_answer_the_same(abc, monkeypatch):
    answered = []
    for path in paths(abc):
        response, on_primary, on_replica = read(abc.site, path)
        answered.append((path, response.status_code, response.content, on_primary, on_replica > 0))
    monkeypatch.setattr(replica, "closeness", replica.Closeness())
    monkeypatch.setattr(replica, "REPLAYED", PROMOTED)
    from_primary = [(path, abc.site.client.get(path)) for path in paths(abc)]

    assert answered == [(path, 200, response.content, 1, True) for path, response in from_primary]


def test_whoever_has_changed_something_is_answered_from_the_primary(abc):
    other = ApiUserFactory(brand=abc.site.brand)
    reader = client_of(other.user.username, SECRET)
    path = f"/v3/customers/{CUSTOMER}"

    abc.site.put(path, {"firstName": "Ada"})
    _, _, for_writer = read(abc.site, path)
    with CaptureQueriesContext(connections["replica"]) as for_reader:
        reader.get(path)

    assert (for_writer, len(for_reader) > 0) == (0, True)
    assert ApiUser.objects.get(pk=other.pk).reads_primary_until is None


def test_changing_call_never_asks_the_replica(abc):
    path = f"/v3{abc.path}/enroll"
    with CaptureQueriesContext(connections["replica"]) as second:
        told = tell(abc.site.client, "POST", path, [{"customerId": CUSTOMER}])
        preview = abc.site.post(f"{abc.path}/unEnroll/preview", [{"customerId": CUSTOMER}])

    assert (told.status, preview[0], len(second)) == (200, 200, 0)
    assert StoredAnswer.objects.count() == 1


def test_write_is_noted_for_twice_the_lag_at_least_and_not_every_time(abc, monkeypatch):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    path, noted = f"/v3/customers/{CUSTOMER}", []

    for seconds in (0, 4, 5, 6, 10):
        now = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        abc.site.put(path, {})
        noted.append(
            ApiUser.objects.get(user__username=abc.site.username).reads_primary_until - datetime(2030, 1, 1, tzinfo=UTC)
        )

    assert [each.total_seconds() for each in noted] == [15, 15, 15, 21, 21]


def test_call_of_nobody_that_is_known_is_not_noted(abc):
    created = create_api_client(username=abc.site.username, brand_name=None, group_name=None)
    named = {"key": created.client_id, "secret": created.secret}

    response = APIClient(raise_request_exception=False).post("/v3/oauth/token/generate", named, format="json")

    assert response.status_code == 200
    assert ApiUser.objects.exclude(reads_primary_until=None).count() == 0


def test_refused_call_is_not_noted(abc):
    status, _ = abc.site.put("/v3/customers/nobody", {})

    assert (status, ApiUser.objects.get(user__username=abc.site.username).reads_primary_until) == (400, None)


def test_what_another_process_noted_longer_is_not_shortened(abc):
    later = timezone.now() + timedelta(minutes=5)
    ApiUser.objects.update(reads_primary_until=later)

    abc.site.put(f"/v3/customers/{CUSTOMER}", {})

    assert ApiUser.objects.get(user__username=abc.site.username).reads_primary_until == later


def test_when_the_time_is_over_the_replica_answers_again(abc):
    ApiUser.objects.update(reads_primary_until=timezone.now() - timedelta(seconds=1))

    response, _, on_replica = read(abc.site, f"/v3/customers/{CUSTOMER}")

    assert (response.status_code, on_replica) == (200, 1)


def refuse(parameters):
    raise OperationalError("connection refused")


def test_replica_that_is_away_is_noticed_once_and_the_primary_answers(abc, monkeypatch, caplog):
    connections["replica"].close()
    monkeypatch.setattr(connections["replica"], "get_new_connection", refuse)
    replica.closeness = replica.Closeness()

    answers = [abc.site.get(path)[0] for path in paths(abc)]

    assert answers == [200] * 11
    assert [each.message.split(":")[0] for each in caplog.records] == ["The replica is away"]


def test_replica_that_goes_away_amid_a_call_leaves_it_to_the_primary(abc):
    def ends(execute, sql, params, many, context):
        session = context["connection"].connection.info.backend_pid
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [session])
        return execute(sql, params, many, context)

    with connections["replica"].execute_wrapper(ends):
        status, answer = abc.site.get(f"/v3/customers/{CUSTOMER}")

    assert (status, answer["data"]["customerId"]) == (200, CUSTOMER)
    assert not replica.closeness.is_close()


def fails_with(code):
    def fails(execute, sql, params, many, context):
        return execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'of the test' USING ERRCODE = '{code}'; END $$", None, many, context
        )

    return connections["replica"].execute_wrapper(fails)


def test_read_cancelled_for_the_sake_of_replaying_is_left_to_the_primary(abc):
    with fails_with("40001"):
        status, answer = abc.site.get(f"/v3/customers/{CUSTOMER}")

    assert (status, answer["data"]["customerId"]) == (200, CUSTOMER)
    assert replica.closeness.is_close()


def test_read_that_takes_too_long_is_not_tried_again_on_the_primary(abc):
    with fails_with("57014"), CaptureQueriesContext(connection) as primary:
        status, _ = abc.site.get(f"/v3/customers/{CUSTOMER}")

    assert (status, len(primary)) == (503, 1)


def test_inside_a_transaction_everything_is_read_on_the_primary(abc):
    with CaptureQueriesContext(connections["replica"]) as second, replica.reading_replica(), transaction.atomic():
        Customer.objects.get(customer_id=CUSTOMER)

    assert len(second) == 0


def test_what_was_read_on_the_replica_is_written_on_the_primary(abc):
    with replica.reading_replica():
        customer = Customer.objects.get(customer_id=CUSTOMER)
        customer.first_name = "Ada"
        customer.save()

    assert customer._state.db == "default"
    assert Customer.objects.get(customer_id=CUSTOMER).first_name == "Ada"


def test_stand_in_takes_no_writes(abc):
    with pytest.raises(InternalError, match="read-only transaction"):
        Customer.objects.using("replica").update(first_name="Ada")


@pytest.fixture
def staff(abc):
    """`staff(name)`: a member of staff of the brand who may see and change everything, signed in."""
    brand = abc.site.brand

    def sign_in(name):
        user = User.objects.create(username=name, is_staff=True)
        user.user_permissions.set(Permission.objects.all())
        StaffBrand.objects.create(user=user, brand=brand)
        client = Client()
        client.force_login(user)
        return client

    yield sign_in
    User.objects.filter(is_staff=True).delete()


def test_lists_of_what_has_happened_are_read_on_the_replica_but_who_may_see_them_is_not(staff):
    sam = staff("sam")

    with CaptureQueriesContext(connection) as primary, CaptureQueriesContext(connections["replica"]) as second:
        response = sam.get("/admin/enrollments/receipt/")

    assert (response.status_code, response.content.count(b"field-enrolment")) == (200, Receipt.objects.count())
    assert not any("enrollments_" in each["sql"] for each in primary)
    assert any("enrollments_receipt" in each["sql"] for each in second)
    assert not any("staffbrand" in each["sql"] or "auth_" in each["sql"] for each in second)


def test_staff_who_changed_something_read_lists_on_the_primary(staff):
    sam, kim = staff("sam"), staff("kim")

    changed = sam.post("/admin/targets/customer/add/", {"brand": Customer.objects.first().brand_id, "customer_id": 5})
    asked = []
    for each in (sam, kim):
        with CaptureQueriesContext(connections["replica"]) as second:
            each.get("/admin/rewards/grant/")
        asked.append(len(second) > 0)

    assert (changed.status_code, Customer.objects.filter(customer_id=5).count()) == (302, 1)
    assert asked == [False, True]
    Customer.objects.filter(customer_id=5).delete()


def test_list_that_the_replica_fails_to_show_is_shown_from_the_primary(staff):
    with fails_with("40001"):
        response = staff("sam").get("/admin/enrollments/receipt/")

    assert (response.status_code, response.content.count(b"field-enrolment")) == (200, Receipt.objects.count())


def test_without_a_replica_nothing_is_routed(settings):
    assert (list(settings.DATABASES), settings.DATABASE_ROUTERS) == (["default"], [])
