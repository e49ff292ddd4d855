"""`unenroll` with several connections: the outcomes of one after the other, each told once and in the order given."""

import csv
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

from enrollments import pace
from enrollments.integrity import all_violations
from enrollments.management.commands import unenroll as command
from enrollments.models import Receipt, Stay
from enrollments.operations import enroll, unenroll
from targets.clock import brand_now
from targets.models import Target
from tests.concurrency.scenes import ACT, running_programme
from tests.enrollments.test_commands import run, run_command
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = [*range(1, 61), 999, 5, 2**63 - 1, *range(61, 71)]  # one whom nobody knows, one named again, one who cannot be


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST", 5)
    monkeypatch.setattr(pace, "LEAST", 3)
    monkeypatch.setattr(command, "FIRST", 5)


def programme() -> Target:
    """Of seventy customers every seventh has left, and every tenth was never enrolled."""
    target = running_programme()
    for number in range(1, 71):
        customer = CustomerFactory(brand=target.brand, customer_id=number)
        if number % 10:
            enroll(customer=customer, target=target, at=brand_now(target.brand), **ACT)
            if number % 7 == 0:
                unenroll(customer=customer, target=target, at=brand_now(target.brand), **ACT)
    return target


def told(report: str) -> list[tuple[str, str]]:
    return [(row["customerId"], row["outcome"]) for row in csv.DictReader(StringIO(report))]


@pytest.mark.parametrize("count", [1, 3])
def test_threads_leave_and_tell_what_is_left_and_told_without(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = programme(), programme()
    ids = tmp_path / "ids.csv"
    ids.write_text("".join(f"{number}\n" for number in ASKED))

    monkeypatch.setattr(command, "FIRST", len(ASKED))
    alone = run(one, f"--file={ids}", "--format=csv")
    monkeypatch.setattr(command, "FIRST", 5)
    together = run(other, f"--file={ids}", "--format=csv", f"--connections={count}")

    assert alone[0] == together[0] == 1
    assert told(together[1]) == told(alone[1])
    assert [number for number, _ in told(together[1])] == [str(number) for number in ASKED]
    receipts = Receipt.objects.filter(source="COMMAND", participation__target=other)
    assert receipts.count() == 54
    assert receipts.values("transaction_id").distinct().count() > 3
    assert receipts.values("batch_id").distinct().count() == 1
    assert not Stay.objects.filter(left_at=None).exists()
    assert list(all_violations()) == []


def test_plan_made_and_carried_out_by_several_is_told_the_same_again(tmp_path: Path) -> None:
    target = programme()
    plan, ids = tmp_path / "plan.csv", tmp_path / "ids.csv"
    ids.write_text("".join(f"{number}\n" for number in range(1, 71)))

    looked = run(target, f"--file={ids}", f"--plan={plan}", "--format=csv", "--connections=3")
    assert Receipt.objects.filter(source="COMMAND").count() == 0
    done = run_command(f"--apply={plan}", "--format=csv", "--connections=3")
    again = run_command(f"--apply={plan}", "--format=csv", "--connections=2")

    assert looked[0] == done[0] == again[0] == 1  # who was never enrolled cannot leave
    assert told(looked[1]) == told(done[1])
    assert again[1] == done[1]
    assert Receipt.objects.filter(source="COMMAND").count() == 54
    assert list(all_violations()) == []


def test_report_comes_in_order_whoever_is_done_first(tmp_path: Path) -> None:
    target = programme()
    ids = tmp_path / "ids.csv"
    ids.write_text("".join(f"{number}\n" for number in range(1, 71)))

    _, report = run(target, f"--file={ids}", "--format=csv", "--connections=8")

    numbers = [int(number) for number, _ in told(report)]
    assert all(one < other for one, other in pairwise(numbers))


@pytest.mark.parametrize("count", ["0", "9", "many"])
def test_number_of_connections_that_is_none_is_refused(count: str) -> None:
    target = programme()

    _, message = run(target, "--customer=1", f"--connections={count}")

    assert "argument --connections: invalid" in message
    assert not Receipt.objects.filter(source="COMMAND").exists()
