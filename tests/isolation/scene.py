"""Two brands with the same rows, strangers to each other; and what a call answers, changes and asks the database."""

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import sleep
from typing import Any
from urllib.parse import urlencode

import simplejson
from django.apps import apps
from django.db import connection, transaction
from django.db.models import AutoField
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from enrollments.enums import Effective, Source
from enrollments.models import Receipt
from enrollments.operations import ActivityData, enroll, record_activity, unenroll
from rewards.models import Grant
from targets.api.feeds import encode_cursor
from targets.models import Brand, Customer, Cycle, Target
from tests.factories import START, ApiUserFactory, BrandFactory, CustomerFactory, make_programme
from tests.isolation.calls import ROWS, Call

NOW = START + timedelta(days=1)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Ids = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """A brand, its API user, and the ids of its rows by the names that the matrix uses."""

    brand: Brand
    username: str
    ids: Ids


@dataclass(frozen=True)
class Asked:
    status: int
    text: str
    statements: list[str]
    vanished: Counter[tuple[str, str]]
    appeared: Counter[tuple[str, str]]

    @property
    def code(self) -> int | None:
        errors = simplejson.loads(self.text)["errors"]
        return errors[0]["code"] if errors else None

    @property
    def changed_nothing(self) -> bool:
        return not self.vanished and not self.appeared


def make_sides() -> tuple[Side, Side]:
    """Ours, then theirs. Ids are long and never the same in two tables, so that each is known wherever it is read."""
    with connection.cursor() as cursor:
        for place, table in enumerate(tables_with_ids(), 1):
            cursor.execute(f"ALTER SEQUENCE {table}_id_seq RESTART WITH {7_000_000_000 + place * 1_000_000}")
    sides = make_side("Aurora", 810_000_001), make_side("Borealis", 820_000_001)
    wait_until_feeds_show(Receipt.objects.latest("transaction_id").transaction_id)
    return sides


def wait_until_feeds_show(transaction_id: int) -> None:
    """Until no transaction that began before is running, be it of another test, in another database of the server."""
    for _ in range(1200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %s", [transaction_id])
            if cursor.fetchone()[0]:
                return
        sleep(0.05)
    raise TimeoutError("A transaction has been running for a minute.")


def tables_with_ids() -> list[str]:
    models = [
        model for label in ("targets", "rewards", "enrollments") for model in apps.get_app_config(label).get_models()
    ]
    made = [model._meta for model in models if model._meta.managed and isinstance(model._meta.pk, AutoField)]
    return sorted(meta.db_table for meta in made)


def make_side(name: str, first_customer: int) -> Side:
    brand = BrandFactory(name=name, sandbox=True, clock_at=NOW)
    target = make_programme(brand=brand, name=f"{name} programme")
    cycle = target.target_group.cycles.get(number=1)
    Cycle.objects.filter(pk=cycle.pk).update(ref_code=f"{name} c1")
    member, leaving, newcomer = (
        CustomerFactory(brand=brand, customer_id=first_customer + n, last_name=f"{name} customer") for n in range(3)
    )
    for customer in (member, leaving):
        enroll(customer=customer, target=target, at=START, by=name, source=Source.API)
    batch_id = uuid.uuid4()
    leave_at_the_end(leaving, target, name, batch_id)
    for number in range(3):
        buy(brand, member, f"{name}-event-{number}")
    receipt, grant = Receipt.objects.filter(brand=brand).latest("pk"), Grant.objects.get(brand=brand)
    first = Receipt.objects.filter(brand=brand).earliest("pk")
    before_grant = Grant(pk=grant.pk - 1)
    before_grant.transaction_id = grant.transaction_id
    return Side(
        brand,
        ApiUserFactory(brand=brand, user__username=name).user.username,
        {
            "group_id": target.target_group_id,
            "target_id": target.pk,
            "customer_id": member.customer_id,
            "leaving_id": leaving.customer_id,
            "newcomer_id": newcomer.customer_id,
            "receipt_id": receipt.pk,
            "batch_id": str(batch_id),
            "period_id": cycle.pk,
            "period_name": f"{name} c1",
            "event_id": f"{name}-event-0",
            "receipt_cursor": encode_cursor(first),
            "grant_cursor": encode_cursor(before_grant),
        },
    )


def leave_at_the_end(customer: Customer, target: Target, by: str, batch_id: uuid.UUID) -> None:
    unenroll(
        customer=customer,
        target=target,
        at=START,
        by=by,
        source=Source.API,
        effective=Effective.END_OF_CYCLE,
        batch_id=batch_id,
    )


def buy(brand: Brand, customer: Customer, event_id: str) -> None:
    activity = ActivityData(
        event_id=event_id, event_name="purchase", customer_id=customer.customer_id, occurred_at=START
    )
    record_activity(brand=brand, activity=activity, at=START)


def unknown_ids(ours: Side) -> dict[str, Any]:
    """Of nobody, and looking as ours do."""
    unknown: dict[str, Any] = {name: 7_999_000_000 + place for place, name in enumerate(ours.ids)}
    for name, row in (("receipt_cursor", Receipt()), ("grant_cursor", Grant())):
        model = type(row).objects.filter(brand=ours.brand)
        row.pk, row.transaction_id = 7_998_000_000, model.earliest("pk").transaction_id
        unknown[name] = encode_cursor(row)
    return unknown | {"period_name": "Nobodys c1", "event_id": "Nobodys-event-0", "batch_id": str(uuid.uuid4())}


def ask(client: APIClient, call: Call, ids: Ids, method: str = "") -> Asked:
    """What the call answers and does; it is taken back afterwards."""
    row = ROWS[call.key]
    path = "/" + re.sub(r"<str:(\w+)>", lambda found: str(ids[found[1]]), call.path)
    query = "?" + urlencode(row.query(ids)) if row.query else ""
    body = simplejson.dumps(row.body(ids)) if row.body else ""
    before = everything()
    with transaction.atomic():
        with CaptureQueriesContext(connection) as captured:
            response = client.generic((method or call.method).upper(), path + query, body, "application/json")
        after = everything()
        transaction.set_rollback(True)
    return Asked(
        response.status_code,
        response.content.decode(),
        [shape(each["sql"]) for each in captured],
        before - after,
        after - before,
    )


def shape(sql: str) -> str:
    """A statement without its values."""
    sql = re.sub(r"'(?:[^']|'')*'", "?", sql)
    return re.sub(r"\bs\d+_x\d+\b|\b\d+(\.\d+)?\b", "?", sql)


def without_values(text: str, ids: Ids, names: list[str]) -> str:
    """An answer with the ids that were sent, and what is made by chance, replaced by their names."""
    for name in names:
        text = re.sub(rf"(?<!\w){re.escape(str(ids[name]))}(?!\w)", f"<{name}>", text)
    return UUID.sub("<uuid>", text)


def marks(side: Side) -> list[str]:
    """Texts by which a row of this brand is known."""
    return [side.brand.name, *(str(value) for value in side.ids.values())]


def everything() -> Counter[tuple[str, str]]:
    """Every row of every table, as text."""
    tables = [table for table in connection.introspection.table_names() if table != "django_migrations"]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}', each::text FROM {table} each" for table in tables))
        return Counter(cursor.fetchall())
