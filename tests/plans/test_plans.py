"""Every request, in a database in which reading all of a table would be noticed: each statement reads a few rows.

Not by a scan of a growing table, and not by one of an index from end to end: docs/scaling.md says what is counted.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import simplejson
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Model
from django.test import Client
from django.urls import reverse

from enrollments.models import ArchivedActivity
from enrollments.operations import (
    ActivityData,
    archive_activities,
    archiving,
    enroll,
    restore_activities,
    unenroll,
)
from enrollments.recording import record_each
from targets.admin import exporting, lists
from targets.models import Brand, Cycle, Target
from tests import database
from tests.config.token_scene import token_of
from tests.conftest import SECRET, basic
from tests.enrollments.admin_scene import ACT, signed_in, staff
from tests.factories import make_programme
from tests.isolation.admin_pages import MODELS, PAGES, VARIANTS, Opens, list_queries
from tests.isolation.calls import ROWS, TARGET, Call, Row, all_calls
from tests.isolation.story import Story
from tests.isolation.test_admin_matrix import asked
from tests.plans.crowd import SIZES, Crowd, gather, participation_of
from tests.plans.reading import Read, watched_and_undone

pytestmark = pytest.mark.django_db

# More than any page shows or counts, and less than what the brand, any programme or any period here has.
MOST_READ = 600
MOST_COUNTED = 200
MOST_SCANNED = 2 * MOST_COUNTED  # to count so many of a brand, those of others are passed over

# What may read as much as one programme has, by its index, but not more: what staff do to a programme now and then (an
# index on `changed_at` would cost every leave and activity the writing of all other indexes of its enrolment), and
# lists of the admin narrowed to a programme, which are newest first by a number of their own.
OF_A_PROGRAMME = re.compile(r"^targets_targetgroup_(active|edit|reward|figures|figures_csv) |_changelist .*[?]group=")
# To look for each enrolment in every partition of the archive costs more than to read on until enough are counted.
READ_ON = re.compile(r"^enrollments_activityoutcome_changelist .*[?]group=")
MOST_OF_A_PROGRAMME = 4 * SIZES.stays // SIZES.programmes
MOST_READ_ON = 2 * MOST_COUNTED * SIZES.programmes
# Users are made one by one, by superusers.
FEW = "auth_user_changelist"

# What differs from the isolation matrix: an activity that counts, the clock as it stands, and a page so short that the
# planner would not rather read all grants here: there are only 10,000.
PURCHASE = {"eventId": "new", "eventName": "purchase-3"}
OWN_ROWS = ROWS | {
    ("activities", "post"): Row(
        lambda ids: [
            PURCHASE | {"eventId": each, "customerId": ids["customer_id"], "occurredAt": ids["now"]}
            for each in ("new", "newer", f"archived {ids['event_id']}")
        ],
    ),
    ("receipts", "get"): Row(query=lambda ids: {"after": ids["receipt_cursor"], "limit": 20}),
    ("clock", "put"): Row(lambda ids: {"now": ids["now"]}),
}
CALLS = [call for call in all_calls() if call.path.startswith("v3/")]


@pytest.fixture(scope="module")
def crowd(module_db) -> Iterator[Crowd]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "MOST_DELETED", -1)
        call_command("flush", verbosity=0, interactive=False)  # truncates: nothing is known of few rows that were there
        patch.setattr(lists, "MOST_COUNTED", MOST_COUNTED)
        patch.setattr(exporting, "MOST_EXPORTED", MOST_COUNTED)
        yield gather()


@pytest.fixture(params=["force_generic_plan", pytest.param("auto", marks=pytest.mark.soak)])
def plans(request, db) -> Iterator[None]:
    """Inside functions: as planned for the values of the first calls, and as kept by a session for all later ones."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET plan_cache_mode = {request.param}")
        yield
        cursor.execute("RESET plan_cache_mode")


def too_much(read: list[Read], *, what: str = "") -> list[Read]:
    """What is read by scans of growing tables, or by indexes but more than is shown or changed."""
    by_index = MOST_OF_A_PROGRAMME if OF_A_PROGRAMME.search(what) else MOST_READ
    scanned = MOST_READ_ON if READ_ON.search(what) else MOST_SCANNED
    return [each for each in read if each.scanned > scanned or each.by_index > by_index]


def told(read: list[Read]) -> str:
    return "\n".join(f"{each.rows} rows of {each.table} ({each.scans} scans): {each.statement[:600]}" for each in read)


def called(client: Client, call: Call, ids: dict[str, Any], **headers: str) -> tuple[int, list[Read]]:
    row = OWN_ROWS[call.key]
    path = "/" + re.sub(r"<str:(\w+)>", lambda found: str(ids[found[1]]), call.path)
    query = "?" + urlencode(row.query(ids)) if row.query else ""
    body = simplejson.dumps(row.body(ids)) if row.body else ""
    with watched_and_undone() as read:
        response = client.generic(call.method.upper(), path + query, body, "application/json", headers=headers)
    return response.status_code, read


def with_every_credential(crowd: Crowd) -> Iterator[dict[str, str]]:
    yield {"Authorization": basic("Large-till", SECRET), "Idempotency-Key": "4711"}
    yield {"Authorization": f"Bearer {token_of(crowd.credentials)}"}


@pytest.mark.parametrize("call", [pytest.param(each, id=f"{each.method.upper()} /{each.path}") for each in CALLS])
def test_every_call_reads_a_few_rows(call, crowd, plans):
    for headers in with_every_credential(crowd):
        status, read = called(Client(), call, crowd.ids, **headers)

        assert status == OWN_ROWS[call.key].status
        assert sum(each.rows for each in read) > 0  # it was counted: who calls, at least
        assert not too_much(read), told(too_much(read))


LOOKUPS = """
SELECT pg_index.indrelid::regclass::text, sum(pg_stat_get_xact_numscans(indexrelid))::int
  FROM pg_index WHERE indrelid::regclass::text LIKE 'enrollments_archived%'
 GROUP BY 1 HAVING sum(pg_stat_get_xact_numscans(indexrelid)) > 0
"""


@pytest.mark.parametrize("event_ids", [("new 1",), ("new 1", "new 2", "new 3")], ids=["alone", "together"])
def test_new_event_costs_one_look_into_the_archive(event_ids, crowd, plans):
    customer = crowd.story.customer
    events = [ActivityData(each, "purchase", customer.customer_id, crowd.large.clock_at) for each in event_ids]

    assert sum(looked_up(crowd.large, events).values()) == len(event_ids)


def test_event_that_is_archived_is_found_in_one_partition_of_each_table(crowd, plans):
    first = ArchivedActivity.objects.get(brand=crowd.large, event_id=f"archived {crowd.ids['event_id']}")
    content = {each: getattr(first, each) for each in ("event_name", "occurred_at", "amount", "quantity", "attributes")}
    event = ActivityData(first.event_id, customer_id=crowd.story.customer.customer_id, **content)

    found = looked_up(crowd.large, [event])

    where = [table for table in found if table.startswith("enrollments_archivedactivity_")]
    assert sorted(found.values()) == [1, 2]  # what it did; that it is there, and what it was
    assert [found[table] for table in where] == [2]


def test_archiving_reads_what_it_moves(crowd, monkeypatch):
    monkeypatch.setattr(archiving, "READ_AT_ONCE", 100)
    sweep()

    with watched_and_undone() as read:
        Cycle.objects.filter(closed_at=None).update(closed_at=F("closes_at"), paid_at=F("closes_at"))
        moved = next(archive_activities(before=crowd.large.clock_at + timedelta(days=1), at_once=100, is_paced=False))
        moved_back = next(restore_activities(at_once=100))

    assert (moved.moved, moved_back.moved) == (100, 100)
    assert not too_much(read), told(too_much(read))


def looked_up(brand: Brand, events: list[ActivityData]) -> dict[str, int]:
    """How often each partition of the archive was looked into by an index; by others they are not read."""
    with transaction.atomic(), connection.cursor() as cursor:
        record_each(brand, [replace(events[0], event_id="planned")])  # planning may look at the end of an index
        cursor.execute(LOOKUPS)
        before = dict(cursor.fetchall())
        record_each(brand, events)
        cursor.execute(LOOKUPS)
        found = dict(cursor.fetchall())
        transaction.set_rollback(True)
    counts = {table: count - before.get(table, 0) for table, count in found.items()}
    return {table: count for table, count in counts.items() if count}


class Asked(NamedTuple):
    name: str
    client: Client
    method: str
    address: str
    data: dict[str, Any]
    status: int


def chiefs_requests(story: Story) -> Iterator[Asked]:
    """Each page of the admin, looked at and sent if that is another thing, by who may do everything in every brand."""
    for name, page in (PAGES | VARIANTS).items():
        for method, request in (("get", page.get), ("post", page.post)):
            is_another = method == "get" or request is not page.get
            if is_another and request.needs != Opens.TO_NOBODY and not name.endswith("_redirect"):
                client = Client() if request.needs == Opens.TO_ANYBODY else story.chief
                data = page.post.data(story) if method == "post" else {}
                yield Asked(name, client, method, page.address(story), data, request.got)


def lists_of(story: Story, client: Client, models: Iterable[type[Model]]) -> Iterator[Asked]:
    """Each list, searched and filtered."""
    for model in models:
        name = f"{model._meta.app_label}_{model._meta.model_name}_changelist"
        address = reverse(f"admin:{name}")
        one_of_each = {each.partition("=")[0]: each for each in list_queries(model, story)}
        for query in one_of_each.values():
            yield Asked(name, client, "get", f"{address}?{query}", {}, 200)


def sweep() -> None:
    """Entries of what earlier tests have undone are read too, until they are removed."""

    def vacuum() -> None:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (PARALLEL 0)")
        connection.close()

    with ThreadPoolExecutor(1) as outside_this_transaction:
        outside_this_transaction.submit(vacuum).result()


def test_every_page_of_the_admin_reads_a_few_rows(crowd):
    sweep()
    story, small = replace(crowd.story), replace(crowd.small)  # who was signed in before is not any more
    everything = [
        f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")
    ]
    limited = signed_in(staff(*everything, brands=[small.brand]))
    shown = [model for model, rows in MODELS.items() if rows.see != Opens.TO_SUPERUSERS]
    requests = [*chiefs_requests(story), *lists_of(story, story.chief, MODELS), *lists_of(small, limited, shown)]

    found, statuses = [], []
    for each in requests:
        with watched_and_undone() as read:
            answer = asked(each.client, each.method, each.address, each.data)
        statuses.append((each, answer.status_code))
        what = f"{each.name} {each.address}"
        found += [f"{what}: {told([one])}" for one in too_much(read, what=what) if each.name != FEW]

    unexpected = [(each, got) for each, got in statuses if each.status != got]
    # Refused, as there are more rows than may be exported here.
    assert [(each, got) for each, got in unexpected if not each.name.endswith("_export") or got != 302] == []
    assert not found, "\n\n".join(found)


def test_leaving_reads_as_many_periods_of_a_long_programme_as_of_a_short_one(crowd, plans):
    short, long = (make_programme(brand=crowd.large, cycles=cycles) for cycles in (5, 100))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE targets_cycle, targets_targetvalue")

    read = [sum(each.rows for each in read_by_leaving(crowd, target)) for target in (short, long)]

    assert read[1] == read[0] > 0


def read_by_leaving(crowd: Crowd, target: Target) -> list[Read]:
    """Of what is as large as what people define."""
    customer = crowd.story.open.customer
    enroll(customer=customer, target=target, at=crowd.large.clock_at, **ACT)
    with watched_and_undone(("targets_cycle", "targets_targetvalue")) as read:
        unenroll(customer=customer, target=target, at=crowd.large.clock_at, **ACT)
    return read


@pytest.mark.parametrize("table", ["enrollments_participation", "enrollments_stay"])
def test_leaving_changes_rows_in_their_own_pages(table, crowd):
    """None of the table's indexes gets a new entry: there is room in pages that were written when people joined."""
    participation = participation_of(crowd.story.milestone, 3 + 100 * SIZES.programmes)
    before = updates_in_their_page(table)

    unenroll(customer=participation.customer, target=participation.target, at=crowd.large.clock_at, **ACT)

    assert updates_in_their_page(table) == before + 1


def updates_in_their_page(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated(%s::regclass)", [table])
        (count,) = cursor.fetchone()
    return int(count)


TEETH = {
    "customer_unique_in_brand": ("targets_customer", "v3/customers/<str:customer_id>", "get"),
    "participation_unique": ("enrollments_participation", f"v3/{TARGET}/unEnroll", "post"),
    "progress_unique": ("enrollments_progress", f"v3/{TARGET}/unEnroll", "post"),
    "receipt_feed": ("enrollments_receipt", "v3/receipts", "get"),
}


@pytest.mark.parametrize("index", TEETH)
def test_call_that_has_lost_its_index_is_noticed(index, crowd):
    """Also one that is asked for inside a function only: `lock_enrolment` looks the participation up."""
    table, path, method = TEETH[index]
    call = next(each for each in CALLS if (each.path, each.method) == (path, method))
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_constraint WHERE conname = %s", [index])
        drop = f"ALTER TABLE {table} DROP CONSTRAINT {index}" if cursor.rowcount else f"DROP INDEX {index}"
        cursor.execute(drop)

    _, read = called(Client(), call, crowd.ids, Authorization=basic("Large-till", SECRET))

    assert any(each.table.startswith(table) for each in too_much(read))  # or a part of it
