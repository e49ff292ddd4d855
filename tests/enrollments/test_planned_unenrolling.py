"""`manage.py unenroll --plan` and `--apply`."""

import csv
import os
import resource
import signal
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from enrollments.enums import Effective, ReceiptKind, Source
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations import ActivityData, cancel_leave, enroll, record_activity, unenroll, unenroll_together
from targets.enums import Allocation, EvaluationType
from targets.models import Customer, Target, TargetGroup
from tests.enrollments.test_commands import run_command
from tests.factories import START, BrandFactory, CustomerFactory, freeze, make_programme

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ACT = {"by": "test", "source": Source.API}
HAND = {"at": START + 3 * DAY, "by": "hand", "source": Source.API}
ASKED = ("1", "2", "3", "4", "5", "1")


@pytest.fixture
def target() -> Target:
    brand = BrandFactory(name="=Acme", sandbox=True, clock_at=START + 3 * DAY)
    return make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=1)


@pytest.fixture
def customers(target: Target) -> list[Customer]:
    """1: enrolled; 2: enrolled and achieved; 3: left; 4: never enrolled. 5 is nobody."""
    made = [CustomerFactory(brand=target.brand, customer_id=number) for number in (1, 2, 3, 4)]
    for customer in made[:3]:
        enroll(customer=customer, target=target, at=START, **ACT)
    buys(target, 2)
    unenroll(customer=made[2], target=target, at=START + DAY, **ACT)
    return made


def buys(target: Target, number: int) -> None:
    activity = ActivityData(f"e{number}", "purchase", number, START)
    record_activity(brand=target.brand, activity=activity, at=START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.csv"


def plan(target: Target, path: Path, *arguments: str) -> None:
    names = [f"--target-group={target.target_group_id}", f"--target={target.pk}"]
    run_command(*names, f"--plan={path}", "--format=csv", *(arguments or ["--customer", *ASKED]))
    assert path.exists()


def apply(path: Path, *arguments: str) -> tuple[int, list[tuple[str, ...]]]:
    """Exit code, and outcome, receipt and message of each customer; the message alone where nothing is reported."""
    code, out = run_command(f"--apply={path}", "--format=csv", *arguments)
    columns = ("customerId", "outcome", "receiptId", "message")
    return code, [tuple(each[name] for name in columns) for each in csv.DictReader(StringIO(out))] or [(out,)]


def everything() -> list[list[tuple[object, ...]]]:
    return [list(model.objects.order_by("pk").values_list()) for model in (Receipt, Stay, Participation)]


def receipts_of_command() -> list[str]:
    return [str(pk) for pk in Receipt.objects.filter(source=Source.COMMAND).order_by("pk").values_list("pk", flat=True)]


def test_plan_has_a_verdict_for_each_row_and_a_digest_and_writes_nothing(target, customers, path):
    before = everything()

    code, out = run_command(
        f"--target-group={target.target_group_id}",
        f"--target={target.pk}",
        f"--plan={path}",
        "--by=ann",
        "--reason=-1 for\nall",
        "--customer",
        *ASKED,
    )

    assert code == 1
    assert f"Plan written: {path}" in out
    assert everything() == before
    *rows, digest = csv.reader(StringIO(path.read_text()))
    head = dict(row[:2] for row in rows[:11])
    batch = head.pop("batch")
    assert head == {
        "unenrolment plan": "1",
        "brand": str(target.brand_id),
        "target group": str(target.target_group_id),
        "target": str(target.pk),
        "effective": "now",
        "even if inactive": "no",
        "reason": "'-1 for\nall",
        "made by": "ann",
        "made at": "2026-01-04T00:00:00+00:00",
        "rows": "6",
    }
    assert rows[1][2] == "'=Acme"
    stays = [each.pk for each in Stay.objects.order_by("pk")]
    assert rows[11:] == [
        ["customerId", "verdict", "forfeited", "message", "facts"],
        ["1", "unenrolled", "", "", f"{stays[0]}.UNENROLLED.none.1.1.left.1.0.5"],
        ["2", "unenrolled", "c1", "", f"{stays[1]}.UNENROLLED.none.1.1.left_reward_forfeited.1.0.5"],
        [
            "3",
            "already_left",
            "",
            f"Customer 3 is not enrolled in target {target.pk}: he left at 2026-01-02T00:00:00+0000.",
            "",
        ],
        ["4", "never_enrolled", "", f"Customer 4 is not enrolled in target {target.pk}: he never was.", ""],
        ["5", "unknown_customer", "", "This brand has no such customer.", ""],
        ["1", "duplicate_in_request", "", "", ""],
    ]
    assert (digest[:2], len(digest[2])) == (["digest", "hmac-sha256"], 64)
    assert len(batch) == 36


def test_plan_is_carried_out_to_the_letter_and_told_again_when_carried_out_again(target, customers, path):
    plan(target, path, "--reason='Over'", "--effective=endOfCycle", "--customer", *ASKED)

    first = apply(path, "--by=bob")
    after = everything()
    second = apply(path)

    done = Receipt.objects.filter(source=Source.COMMAND).order_by("pk")
    batch = path.read_text().split("batch,")[1][:36]
    assert [(str(each.batch_id), each.reason, each.actor, each.kind) for each in done] == [
        (batch, "'Over'", "bob", ReceiptKind.LEAVE_SCHEDULED)
    ] * 2
    assert [(number, outcome, receipt) for number, outcome, receipt, _ in first[1]] == [
        ("1", "scheduled", str(done[0].pk)),
        ("2", "scheduled", str(done[1].pk)),
        ("3", "already_left", ""),
        ("4", "never_enrolled", ""),
        ("5", "unknown_customer", ""),
        ("1", "duplicate_in_request", ""),
    ]
    assert second == first
    assert first[0] == 1
    assert everything() == after


def test_whoever_has_changed_since_the_plan_is_refused_by_name_and_nothing_is_written_for_him(target, customers, path):
    for number in (6, 7, 8):
        enroll(customer=CustomerFactory(brand=target.brand, customer_id=number), target=target, at=START, **ACT)
    plan(target, path, "--customer", "1", "2", "4", "6", "7", "8")
    buys(target, 1)
    enroll(customer=customers[3], target=target, **HAND)
    leaver, rejoiner, scheduler = (Customer.objects.get(customer_id=number) for number in (6, 7, 8))
    unenroll(customer=leaver, target=target, **HAND)
    unenroll(customer=rejoiner, target=target, **HAND)
    enroll(customer=rejoiner, target=target, **HAND)
    unenroll(customer=scheduler, target=target, effective=Effective.END_OF_CYCLE, **HAND)

    code, told = apply(path)

    [receipt] = receipts_of_command()
    changed = "Changed since the plan: "
    assert code == 1
    assert told == [
        (
            "1",
            "changed",
            "",
            f"{changed}the verdict on the running cycle was “left”, now it is “left, reward forfeited”.",
        ),
        ("2", "unenrolled", receipt, ""),
        ("4", "changed", "", f"{changed}he was not to be unenrolled, now he would be."),
        (
            "6",
            "changed",
            "",
            f"{changed}customer 6 is not enrolled in target {target.pk}: he left at 2026-01-04T00:00:00+0000.",
        ),
        ("7", "changed", "", f"{changed}he left and enrolled again."),
        ("8", "changed", "", f"{changed}a leave at the end of a cycle was scheduled or cancelled."),
    ]
    assert Stay.objects.filter(left_at=START + 3 * DAY).count() == 3  # 2, 6 and 7


def test_plan_whose_cycle_has_ended_is_refused_row_by_row(target, customers, path, settings):
    settings.PLAN_HOURS = 744
    plan(target, path, "--customer", "1", "2")
    clock(target, days=30)

    code, told = apply(path)

    assert code == 1
    assert [row[1] for row in told] == ["changed"] * 2
    assert told[0][3].startswith("Changed since the plan: the running cycle was number 1, now it is number 2;")
    assert receipts_of_command() == []


def clock(target: Target, **later: int) -> None:
    target.brand.clock_at += timedelta(**later)
    target.brand.save()


def test_plan_too_old_is_refused_unless_it_has_been_begun(target, customers, path, monkeypatch):
    plan(target, path, "--customer", "1", "2")
    clock(target, hours=24, seconds=1)
    too_old = apply(path)
    clock(target, seconds=-1)
    interrupt_first_chunk(monkeypatch)
    begun = apply(path)
    monkeypatch.undo()
    clock(target, hours=48)

    resumed = apply(path)

    made_at = "2026-01-04T00:00:00+0000"
    assert too_old == (
        2,
        [
            (
                f"Nothing was done: the plan was made at {made_at}, and may be begun within 24 hours (PLAN_HOURS). "
                "Make a new one.",
            )
        ],
    )
    assert begun[0] == 130
    assert resumed == (
        0,
        [(number, "unenrolled", pk, "") for number, pk in zip("12", receipts_of_command(), strict=True)],
    )


def interrupt_first_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**details):
        os.kill(os.getpid(), signal.SIGINT)
        return unenroll_together(**details)

    monkeypatch.setattr("enrollments.batch.CUSTOMERS_AT_ONCE", 1)
    monkeypatch.setattr("enrollments.batch.unenroll_together", interrupted)


def test_interrupted_plan_leaves_no_file_and_interrupted_carrying_out_goes_on(target, customers, path, monkeypatch):
    names = [f"--target-group={target.target_group_id}", f"--target={target.pk}"]
    with monkeypatch.context() as patch:
        interrupt_first_chunk(patch)
        no_plan = run_command(*names, f"--plan={path}", "--customer", "1", "2")
    files = list(path.parent.iterdir())
    plan(target, path)
    with monkeypatch.context() as patch:
        interrupt_first_chunk(patch)
        half = run_command(f"--apply={path}")
    done = receipts_of_command()

    whole = apply(path)

    assert no_plan == (130, "Interrupted after 1 of 2. Run it again: no plan was written.")
    assert files == []
    assert half == (130, "Interrupted after 1 of 6. Run it again: who has left stays left, and is told again.")
    assert len(done) == 1
    assert [row[:3] for row in whole[1][:2]] == [
        ("1", "unenrolled", done[0]),
        ("2", "unenrolled", receipts_of_command()[1]),
    ]
    assert len(whole[1]) == 6


@pytest.mark.parametrize("reason", ["over\rand out", "over\r\ntarget,1\n'"])
def test_reason_of_several_lines_is_kept_to_the_letter(target, customers, path, reason):
    plan(target, path, f"--reason={reason}", "--customer", "1")

    apply(path)

    assert [each.reason for each in Receipt.objects.filter(source=Source.COMMAND)] == [reason]


def test_two_who_plan_into_the_same_file_do_not_write_into_each_others(target, customers, path):
    part = path.with_name("plan.csv.part")
    part.write_text("being written by somebody else")

    code, out = run_command(
        f"--target-group={target.target_group_id}", f"--target={target.pk}", f"--plan={path}", "--customer", "1"
    )

    assert code == 2
    assert out.startswith(f"No plan was written: {part} is there already: somebody else is writing it, or was killed")
    assert [each.read_text() for each in path.parent.iterdir()] == ["being written by somebody else"]


def test_plan_for_which_there_is_no_room_leaves_no_file(target, customers, path):
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        code, out = run_command(
            f"--target-group={target.target_group_id}", f"--target={target.pk}", f"--plan={path}", "--customer", "1"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert (code, out) == (2, "No plan was written: [Errno 27] File too large.")
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n1,unenrolled", "\n4,unenrolled", 1),
        lambda text: text.replace("effective,now", "effective,endOfCycle"),
        lambda text: text[: text.rindex("digest")],
        lambda text: text[:-100],
        lambda text: text[:-1],
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"{text}1,unenrolled,,,\n",
        lambda text: "",
    ],
)
def test_file_that_is_not_as_it_was_made_is_refused_as_a_whole(target, customers, path, spoil):
    plan(target, path)
    path.write_text(spoil(path.read_text()), newline="")
    before = everything()

    code, [(message,)] = apply(path)

    assert code == 2
    assert message.startswith(f"Nothing was done: {path} is not as --plan has made it: changed, cut off,")
    assert everything() == before


def test_plan_of_another_key_is_refused(target, customers, path, settings):
    plan(target, path)
    settings.SECRET_KEY = "another one"

    code, _ = apply(path)

    assert (code, receipts_of_command()) == (2, [])


def test_leave_taken_back_is_not_made_again_by_the_same_plan(target, customers, path):
    plan(target, path, "--effective=endOfCycle", "--customer", "1", "2")
    apply(path)
    cancel_leave(customer=customers[0], target=target, **HAND)
    before = everything()

    code, told = apply(path)

    message = "Changed since the plan: this batch had unenrolled him, and it was taken back."
    assert (code, told[0]) == (1, ("1", "changed", receipts_of_command()[0], message))
    assert told[1][1] == "scheduled"
    assert everything() == before


def test_receipt_of_a_leave_that_took_effect_or_was_brought_forward_is_told_again(target, customers, path):
    plan(target, path, "--effective=endOfCycle", "--customer", "1", "2")
    first = apply(path)
    unenroll(customer=customers[0], target=target, **HAND)
    clock(target, days=200)

    assert apply(path) == first


def test_where_each_has_a_calendar_of_his_own_the_plan_holds_as_well(path, monkeypatch):
    brand = BrandFactory(sandbox=True, clock_at=START + 3 * DAY)
    target = make_programme(brand=brand, window=EvaluationType.CYCLIC_WINDOW)
    made = [CustomerFactory(brand=brand, customer_id=number) for number in (1, 2, 3, 4)]
    for each in made:
        enroll(customer=each, target=target, at=START, **ACT)
    plan(target, path, "--effective=endOfCycle", "--customer", "1", "2", "3", "4")
    buys(target, 2)
    unenroll(customer=made[2], target=target, **HAND)
    first = apply(path)
    cancel_leave(customer=made[3], target=target, **HAND)
    before = everything()

    second = apply(path)

    assert [row[1] for row in first[1]] == ["scheduled", "scheduled", "changed", "scheduled"]
    assert second[1][:3] == first[1][:3]
    assert second[1][3][1:3] == ("changed", first[1][3][2])
    assert everything() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--apply=PLAN", "--reason=x"], "The plan says it, so --apply goes without --reason."),
        (["--apply=PLAN", "--dry-run"], "The plan says it, so --apply goes without --dry-run."),
        (["--apply=/nowhere"], "Nothing was done: [Errno 2] No such file or directory: '/nowhere'."),
        (["--customer=1"], "--target-group and --target say what is to be left."),
        (
            ["--target-group=G", "--target=T", "--customer=1", "--plan=PLAN"],
            "No plan was written: PLAN is there already",
        ),
        (["--target-group=G", "--target=T", "--customer=1", "--plan="], "No plan was written: . is there already"),
        (["--target-group=G", "--target=T", "--apply="], "The plan says it, so --apply goes without --target-group, "),
    ],
)
def test_arguments_that_contradict_each_other_do_nothing(target, customers, path, arguments, message):
    plan(target, path)
    names = {"G": str(target.target_group_id), "T": str(target.pk), "PLAN": str(path)}
    before = path.read_text()

    option = [name + (equals and "=" + names.get(value, value)) for name, equals, value in map(parted, arguments)]
    code, out = run_command(*option)

    assert code == 2
    assert out.startswith(message.replace("PLAN", str(path)))
    assert (path.read_text(), receipts_of_command()) == (before, [])


def parted(argument: str) -> tuple[str, str, str]:
    return argument.partition("=")


def test_plan_for_an_inactive_programme_may_only_be_made_and_carried_out_when_said_so(target, customers, path):
    plan(target, path, "--customer", "1")
    freeze(TargetGroup.objects.get())
    other = path.with_name("other.csv")
    plan(target, other, "--include-inactive", "--customer", "1")

    refused = apply(path)
    done = apply(other)

    assert refused == (
        2,
        [
            (
                f"Nothing was done: Target group {target.target_group_id} is not found or inactive. "
                "To unenrol from it all the same make a new plan, with --include-inactive.",
            )
        ],
    )
    assert done == (0, [("1", "unenrolled", receipts_of_command()[0], "")])
