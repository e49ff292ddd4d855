"""Undoing over HTTP and by the command: one leave, or those of a batch."""

import csv
import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, connection
from django.test.utils import CaptureQueriesContext

from enrollments import undoing
from enrollments.enums import Source
from enrollments.integrity import all_violations
from enrollments.models import Receipt, Stay
from enrollments.operations import ActivityData, enroll, erase_customer, record_activity, unenroll
from targets.enums import Allocation
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory, CustomerFactory, freeze, make_programme
from tests.faults import everything

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
NOW = START + timedelta(days=3)
BATCH = uuid4()


@pytest.fixture
def target():
    brand = BrandFactory(sandbox=True, clock_at=NOW)
    return make_programme(brand=brand, allocation=Allocation.IMMEDIATE, target_value=1)


@pytest.fixture
def leaves(target):
    """All in one batch. 1 and 7: left; 2: bought something since; 3: enrolled again; 4: leaves at the end; 5: erased;
    6: was brought back."""
    receipts = {}
    for number in (7, 1, 2, 3, 4, 5, 6):
        customer = CustomerFactory(brand=target.brand, customer_id=number)
        enroll(customer=customer, target=target, at=START, **ACT)
        effective = "endOfCycle" if number == 4 else "now"
        receipts[number] = unenroll(
            customer=customer, target=target, at=NOW, effective=effective, batch_id=BATCH, **ACT
        )
    record_activity(brand=target.brand, activity=ActivityData("e", "purchase", 2, NOW), at=NOW)
    enroll(customer=receipts[3].participation.customer, target=target, at=NOW, **ACT)
    erase_customer(customer=receipts[5].participation.customer, at=NOW, by="test", source=Source.ADMIN)
    undoing.undo_leave(receipt=receipts[6], at=NOW, **ACT)
    return receipts


OUTCOMES = [
    (7, "undone", 0, 0),
    (1, "undone", 0, 0),
    (2, "undone", 1, 1),
    (3, "changed_since", 0, 0),
    (4, "cancelled", 0, 0),
    (None, "erased", 0, 0),
    (6, "already_undone", 0, 0),
]


@pytest.fixture
def client(target, client_of):
    return client_of(ApiUserFactory(brand=target.brand).user.username, SECRET)


def post(client, path, **body):
    return client.post(f"/v3/{path}/undo", body, content_type="application/json")


def run(*arguments):
    """(exit code, standard output)."""
    out = StringIO()
    try:
        call_command("undo_unenrolment", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def told(results):
    return [
        (each["customerId"], each["outcome"], each["activitiesCounted"], each["rewardsGranted"]) for each in results
    ]


def test_one_is_undone_over_http_and_the_answer_says_what_counts_now(client, leaves):
    answer = post(client, f"receipts/{leaves[2].pk}", reason="wrong customer").json()["data"]

    assert (answer["receipt"]["kind"], answer["receipt"]["undoes"]) == ("UNENROLMENT_UNDONE", leaves[2].pk)
    assert (answer["receipt"]["reason"], answer["receipt"]["source"]) == ("wrong customer", "API")
    assert (answer["activitiesCounted"], answer["rewardsGranted"]) == (1, 1)
    assert client.get(f"/v3/receipts/{answer['receipt']['receiptId']}").json()["data"] == answer["receipt"]


def test_dry_run_over_http_writes_nothing(client, leaves):
    before = everything()

    one = post(client, f"receipts/{leaves[2].pk}", dryRun=True).json()["data"]
    batch = post(client, f"batches/{BATCH}", dryRun=True).json()["data"]

    assert (one["receipt"]["receiptId"], one["activitiesCounted"], one["rewardsGranted"]) == (None, 1, 1)
    assert (told(batch["results"]), batch["batchId"]) == (OUTCOMES, None)
    assert everything() == before


def test_batch_is_undone_over_http_with_an_outcome_for_each(client, leaves):
    answer = post(client, f"batches/{BATCH}", reason="wrong list").json()["data"]

    assert told(answer["results"]) == OUTCOMES
    assert [each["undoes"] for each in answer["results"]] == [each.pk for each in leaves.values()]
    assert answer["totals"] == {"undone": 3, "changed_since": 1, "cancelled": 1, "erased": 1, "already_undone": 1}
    assert answer["next"] is None
    new = Receipt.objects.filter(batch_id=answer["batchId"])
    assert set(new.values_list("undoes", "reason")) == {(leaves[n].pk, "wrong list") for n in (7, 1, 2, 4)}
    assert list(all_violations()) == []


def test_batch_is_answered_page_by_page(client, leaves):
    pages, after = [], None
    while not pages or after:
        data = post(client, f"batches/{BATCH}", after=after, limit=3).json()["data"]
        pages.append(told(data["results"]))
        after = data["next"]

    assert pages == [OUTCOMES[:3], OUTCOMES[3:6], OUTCOMES[6:]]


@pytest.mark.parametrize(("limit", "units"), [({}, 1000), ({"limit": 20}, 2), ({"limit": 1}, 1)])
def test_batch_weighs_what_is_asked_for(client, leaves, monkeypatch, limit, units):
    spent = []
    monkeypatch.setattr("targets.quota.Leases.spend", lambda leases, client, *, units=1, at: spent.append(units) or 0)

    post(client, f"batches/{BATCH}", **limit)

    assert sum(spent) == units


@pytest.mark.parametrize("batch_id", ["6f2b6a58-6f0e-4d0c-8f0a-0a4f3d1f0a11", "none"])
def test_batch_that_there_is_not_is_not_found(client, leaves, batch_id):
    answer = post(client, f"batches/{batch_id}")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 4040)


def test_each_is_told_that_the_programme_is_frozen(client, target, leaves):
    freeze(target.target_group)

    answer = post(client, f"batches/{BATCH}").json()["data"]

    assert answer["totals"] == {"inactive": 6, "already_undone": 1}


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_command_undoes_a_batch_in_chunks_of_any_size(leaves, monkeypatch, at_once):
    monkeypatch.setattr(undoing, "RECEIPTS_AT_ONCE", at_once)

    code, out = run(f"--batch={BATCH}", "--reason=wrong list", "--by=ann", "--format=json")

    report = json.loads(out)
    assert (code, told(report["results"])) == (1, OUTCOMES)
    assert set(Receipt.objects.filter(batch_id=report["batchId"]).values_list("actor", "reason", "source")) == {
        ("ann", "wrong list", "COMMAND")
    }


def test_command_that_was_interrupted_goes_on_and_reports_each_once(leaves, monkeypatch):
    monkeypatch.setattr(undoing, "RECEIPTS_AT_ONCE", 2)
    asked = iter([False, True])
    each = undoing.undo_each(
        undoing.Undoing(leaves[1].brand, "test", Source.COMMAND),
        undoing.leaves_of_batch(leaves[1].brand, BATCH),
        is_to_stop=lambda: next(asked),
    )
    first = [one.undoes for one in each]
    monkeypatch.undo()

    _, out = run(f"--batch={BATCH}", "--format=csv")

    rows = list(csv.DictReader(StringIO(out)))
    assert first == [leaves[7].pk, leaves[1].pk]
    assert [int(row["undoes"]) for row in rows] == [receipt.pk for receipt in leaves.values()]
    assert [row["outcome"] for row in rows[:3]] == ["already_undone", "already_undone", "undone"]


def test_command_that_loses_the_database_says_so_and_leaves_the_rest(leaves, monkeypatch):
    def lost(**_):
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(undoing, "undo_leave", lost)

    code, message = run(f"--batch={BATCH}")

    assert (code, message) == (
        130,
        "Interrupted after 2 of 7: connection already closed. Run it again: what was taken back stays so.",
    )
    assert set(Receipt.objects.filter(source=Source.COMMAND).values_list("undoes", flat=True)) == {
        leaves[7].pk,
        leaves[1].pk,
    }


def test_command_undoes_one_and_says_so_again(leaves):
    first, second = (run(f"--receipt={leaves[1].pk}", "--format=json") for _ in range(2))

    assert [(code, json.loads(out)["totals"]) for code, out in (first, second)] == [
        (0, {"undone": 1}),
        (0, {"already_undone": 1}),
    ]
    assert Stay.objects.get(participation__customer__customer_id=1).end_cycle is None


def test_command_shows_a_table_and_writes_nothing_in_a_dry_run(leaves):
    before = everything()

    code, out = run(f"--batch={BATCH}", "--dry-run")

    assert code == 1
    assert "dry run: nothing was written" in out
    assert "Leaves: 7. Unenrolment undone: 3" in out
    assert everything() == before


@pytest.mark.parametrize("what", ["--batch=6f2b6a58-6f0e-4d0c-8f0a-0a4f3d1f0a11", "--receipt=0", "--receipt=99999999"])
def test_command_finds_nothing_to_undo(leaves, what):
    code, message = run(what)

    assert (code, message.startswith("There is no ")) == (2, True)


def test_receipt_of_an_enrolment_is_nothing_for_the_command(leaves):
    joined = Receipt.objects.filter(kind="ENROLLED").earliest("pk")

    assert run(f"--receipt={joined.pk}")[0] == 2


def test_statements_do_not_grow_with_the_number_of_those_who_did_nothing_since(target):
    counts = []
    for batch_id, number in ((uuid4(), 1), (uuid4(), 3)):
        for each in range(number):
            customer = CustomerFactory(brand=target.brand, customer_id=number * 100 + each)
            enroll(customer=customer, target=target, at=START, **ACT)
            unenroll(customer=customer, target=target, at=NOW, batch_id=batch_id, **ACT)
        leaves = undoing.leaves_of_batch(target.brand, batch_id)
        with CaptureQueriesContext(connection) as captured:
            outcomes = [
                one.outcome for one in undoing.undo_each(undoing.Undoing(target.brand, "test", Source.API), leaves)
            ]
        counts.append(len(captured))
        assert outcomes == ["undone"] * number

    assert counts[0] == counts[1]
