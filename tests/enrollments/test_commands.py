"""`manage.py unenroll`."""

import csv
import json
import os
import signal
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError

from enrollments.enums import Source
from enrollments.models import Receipt, Stay
from enrollments.operations import ActivityData, enroll, record_activity, unenroll, unenroll_together
from targets.enums import Allocation
from targets.models import Target, TargetGroup
from tests.factories import START, BrandFactory, CustomerFactory, freeze, make_programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}


@pytest.fixture
def target():
    brand = BrandFactory(sandbox=True, clock_at=START + timedelta(days=3))
    return make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=1)


@pytest.fixture
def customers(target):
    """1: enrolled; 2: enrolled and achieved; 3: left; 4: never enrolled. 5 is nobody."""
    made = [CustomerFactory(brand=target.brand, customer_id=number) for number in (1, 2, 3, 4)]
    for customer in made[:3]:
        enroll(customer=customer, target=target, at=START, **ACT)
    record_activity(brand=target.brand, activity=ActivityData("e", "purchase", 2, START), at=START)
    unenroll(customer=made[2], target=target, at=START + timedelta(days=1), **ACT)
    return made


def run(target, *arguments):
    return run_command(f"--target-group={target.target_group_id}", f"--target={target.pk}", *arguments)


def run_command(*arguments):
    """(exit code, standard output)."""
    out = StringIO()
    code = 0
    try:
        call_command("unenroll", *arguments, stdout=out)
    except SystemExit as end:
        code = end.code
    except CommandError as error:
        return error.returncode, str(error)
    return code, out.getvalue()


def test_each_customer_gets_his_outcome_and_the_exit_code_says_some_were_refused(target, customers):
    code, out = run(target, "--customer", "1", "2", "3", "4", "5", "1", "--reason", "Clean-up", "--format=json")

    report = json.loads(out)
    assert code == 1
    assert [(each["customerId"], each["outcome"], each["forfeited"]) for each in report["results"]] == [
        (1, "unenrolled", []),
        (2, "unenrolled", ["c1"]),
        (3, "already_left", []),
        (4, "never_enrolled", []),
        (5, "unknown_customer", []),
        (1, "duplicate_in_request", []),
    ]
    assert report["totals"] == {
        "unenrolled": 2,
        "already_left": 1,
        "never_enrolled": 1,
        "unknown_customer": 1,
        "duplicate_in_request": 1,
    }
    receipts = Receipt.objects.filter(source=Source.COMMAND)
    assert [(str(each.batch_id), each.reason) for each in receipts] == [(report["batchId"], "Clean-up")] * 2
    assert [each["receiptId"] for each in report["results"][:2]] == [each.pk for each in receipts.order_by("pk")]


def test_run_a_second_time_is_success_and_changes_nothing(target, customers):
    first = run(target, "--customer", "1", "2", "3")
    before = list(Receipt.objects.values_list("pk", flat=True))

    second = run(target, "--customer", "1", "2", "3")

    assert (first[0], second[0]) == (0, 0)
    assert list(Receipt.objects.values_list("pk", flat=True)) == before


def test_dry_run_says_what_would_happen_and_writes_nothing(target, customers):
    before = list(Stay.objects.values())

    code, out = run(target, "--customer", "1", "2", "--dry-run", "--format=json")

    report = json.loads(out)
    assert (code, report["dryRun"], report["batchId"]) == (0, True, None)
    assert [(each["outcome"], each["receiptId"]) for each in report["results"]] == [("unenrolled", None)] * 2
    assert list(Stay.objects.values()) == before
    assert Receipt.objects.filter(source=Source.COMMAND).count() == 0


def test_ids_come_from_the_first_column_of_a_file_with_a_heading(target, customers, tmp_path):
    file = tmp_path / "ids.csv"
    file.write_text("customerId,name\n1,Ann\n\n2,Bob\n")

    code, out = run(target, f"--file={file}", "--format=csv")

    rows = list(csv.DictReader(StringIO(out)))
    assert code == 0
    assert [(each["customerId"], each["outcome"], each["forfeited"]) for each in rows] == [
        ("1", "unenrolled", ""),
        ("2", "unenrolled", "c1"),
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "c1=1"])
def test_name_that_a_spreadsheet_takes_for_a_formula_is_written_as_text(target, customers, name):
    target.target_group.cycles.filter(number=1).update(ref_code=name)

    _, out = run(target, "--customer", "2", "--format=csv")

    (row,) = csv.DictReader(StringIO(out))
    assert row["forfeited"] == (name if name == "c1=1" else f"'{name}")


def test_ids_come_from_standard_input(target, customers, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO("1\n2\n"))

    code, out = run(target, "-", "--format=csv")

    assert (code, len(out.splitlines())) == (0, 3)


def test_table_names_outcomes_and_totals(target, customers):
    code, out = run(target, "--customer", "1", "4", "--by", "Ann")

    assert code == 1
    assert "Customers: 2. Unenrolled: 1, was never enrolled: 1." in " ".join(out.split())
    assert Receipt.objects.get(source=Source.COMMAND).actor == "Ann"


def test_leave_at_the_end_of_the_cycle_is_scheduled_once(target, customers):
    first = run(target, "--customer", "1", "--effective=endOfCycle", "--format=json")
    run(target, "--customer", "1", "--effective=endOfCycle")

    assert json.loads(first[1])["totals"] == {"scheduled": 1}
    assert Receipt.objects.filter(source=Source.COMMAND).count() == 1


def test_programme_that_is_over_is_refused(target, customers):
    target.brand.clock_at = START + timedelta(days=200)
    target.brand.save()

    code, out = run(target, "--customer", "1", "--format=json")

    assert (code, json.loads(out)["totals"]) == (1, {"period_over": 1})


def test_inactive_group_needs_the_explicit_flag(target, customers):
    freeze(TargetGroup.objects.get())

    refused = run(target, "--customer", "1")
    allowed = run(target, "--customer", "1", "--include-inactive")

    assert refused[0] == 2
    assert refused[1].endswith("Add --include-inactive to unenrol from it.")
    assert allowed[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customer", "x"], "--customer: 'x' is no customer id, an integer from 1 to 9223372036854775807."),
        (["--customer", "0"], "--customer: '0' is no customer id"),
        (["--file=/nowhere.csv"], "Cannot read /nowhere.csv: "),
        (["--customer", "1", "--reason", "x" * 501], "--reason: The text is longer than 500 characters."),
    ],
)
def test_unusable_arguments_do_nothing(target, customers, arguments, message):
    code, out = run(target, *arguments)

    assert code == 2
    assert out.startswith(message)
    assert Receipt.objects.filter(source=Source.COMMAND).count() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\nx\n", "line 2: 'x' is no customer id"),
        ("1\n9223372036854775808\n", "line 2: '9223372036854775808' is no customer id"),
        ("customerId\n", "no customer ids found."),
        ("", "no customer ids found."),
    ],
)
def test_file_with_a_line_at_fault_does_nothing_at_all(target, customers, tmp_path, text, message):
    file = tmp_path / "ids.csv"
    file.write_text(text)

    code, out = run(target, f"--file={file}")

    assert code == 2
    assert message in out
    assert Receipt.objects.filter(source=Source.COMMAND).count() == 0


def test_unknown_target_is_named(target, customers):
    target.pk += 1000

    code, out = run(target, "--customer", "1")

    assert (code, out) == (2, f"There is no target {target.pk} in target group {target.target_group_id}.")


def test_interrupted_run_reports_what_is_done_and_goes_on_when_run_again(target, customers, monkeypatch):
    def interrupted(**details):
        os.kill(os.getpid(), signal.SIGINT)
        return unenroll_together(**details)

    with monkeypatch.context() as patch:
        patch.setattr("enrollments.batch.CUSTOMERS_AT_ONCE", 1)
        patch.setattr("enrollments.batch.unenroll_together", interrupted)
        code, out = run(target, "--customer", "1", "2")
    again = run(target, "--customer", "1", "2", "--format=json")

    assert (code, out) == (130, "Interrupted after 1 of 2. Run it again: who has left stays left.")
    assert json.loads(again[1])["totals"] == {"unenrolled": 1, "already_left": 1}


def test_run_that_loses_the_database_says_so_and_reports_what_is_done(target, customers, monkeypatch):
    calls = iter((unenroll_together, lost))
    monkeypatch.setattr("enrollments.batch.CUSTOMERS_AT_ONCE", 1)
    monkeypatch.setattr("enrollments.batch.unenroll_together", lambda **details: next(calls)(**details))
    out = StringIO()

    names = (f"--target-group={target.target_group_id}", f"--target={target.pk}", "--customer", "1", "2")
    with pytest.raises(CommandError) as interrupted:
        call_command("unenroll", *names, "--format=json", stdout=out)

    assert interrupted.value.returncode == 130
    assert str(interrupted.value) == (
        "Interrupted after 1 of 2: server closed the connection. Run it again: who has left stays left."
    )
    assert json.loads(out.getvalue())["totals"] == {"unenrolled": 1}


def lost(**_):
    raise InterfaceError("server closed the connection\n")


def test_chunks_are_reported_in_the_order_of_the_file(target, customers, monkeypatch):
    monkeypatch.setattr("enrollments.batch.CUSTOMERS_AT_ONCE", 2)

    code, out = run(target, "--customer", "5", "2", "4", "1", "2", "--format=csv")

    rows = list(csv.DictReader(StringIO(out)))
    assert code == 1
    assert [(each["customerId"], each["outcome"]) for each in rows] == [
        ("5", "unknown_customer"),
        ("2", "unenrolled"),
        ("4", "never_enrolled"),
        ("1", "unenrolled"),
        ("2", "duplicate_in_request"),
    ]


def test_table_of_many_shows_the_first_and_counts_all(target, customers, monkeypatch):
    monkeypatch.setattr("enrollments.management.outcome_report.MOST_ROWS", 1)

    _, out = run(target, "--customer", "1", "2", "4")

    table, more, counts = " ".join(out.split()).partition("2 more are not shown: --format csv shows all.")
    assert more
    assert counts.startswith(" Customers: 3. Unenrolled: 2, was never enrolled: 1. Batch ")
    assert "c1" not in table


def test_byte_order_mark_of_a_spreadsheet_is_no_heading(target, customers, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StringIO("\ufeff1\n2\n"))

    code, out = run(target, "-", "--format=json", "--dry-run")

    assert (code, [each["customerId"] for each in json.loads(out)["results"]]) == (0, [1, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"4237893O6\n1\n", "line 1: '4237893O6' is no customer id"),
        (b"1\n" + b"9" * 5000, "line 2: '9999999999999999999999999999999999999999' is no customer id"),
        (b"\xff\xfe1\n", "Cannot read"),
        (b'"' + b"x" * 140_000, "Cannot read"),
    ],
)
def test_file_that_cannot_be_understood_is_refused_before_anything_is_done(
    target, customers, tmp_path, content, message
):
    path = tmp_path / "ids.csv"
    path.write_bytes(content)

    code, out = run(target, "--file", str(path))

    assert code == 2
    assert message in out
    assert Receipt.objects.filter(source=Source.COMMAND).count() == 0


def test_names_with_brackets_are_printed_as_they_are(target, customers):
    Target.objects.filter(pk=target.pk).update(name="ABC [/x] [red]")

    code, out = run(target, "--customer", "1")

    assert code == 0
    assert "ABC [/x] [red]" in out
