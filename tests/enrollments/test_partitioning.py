"""Receipts in parts: everybody is answered as before, and nobody was kept from his work while they were divided."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, IntegrityError, NotSupportedError, OperationalError, connection, transaction

from enrollments.enums import ReceiptKind
from enrollments.integrity import all_violations
from enrollments.management.commands import partition_receipts as command
from enrollments.models import Receipt, Stay
from enrollments.operations import (
    ReceiptsInUse,
    enroll,
    erase_customer,
    partition_receipts,
    partitioning,
    parts_of_receipts,
    undo_leave,
    undo_together,
    unenroll,
    unenroll_together,
)
from enrollments.operations.leaving import STORE
from tests.conftest import new_site
from tests.enrollments.admin_scene import ACT
from tests.factories import START, CustomerFactory, make_programme
from tests.faults import ends_connection
from tests.journeys.programme import CUSTOMER, Programme
from tests.own_database import own_database

WIDTH = 1_000
ONCE, EXISTS = "enrollments_receipt_undoes_id_key", "receipt_taken_back_exists"
ONLY_IN_ONE_TABLE = {
    "UNIQUE (undoes_id)",
    "FOREIGN KEY (undoes_id) REFERENCES enrollments_receipt(id) DEFERRABLE INITIALLY DEFERRED",
}


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def database(transactional_db, monkeypatch, pytestconfig):
    if pytestconfig.getoption("--receipts-in-parts"):
        pytest.skip("they are divided already")
    monkeypatch.setattr(partitioning, "PAUSE", 0.01)
    monkeypatch.setattr(partitioning, "AHEAD", 1_000)
    monkeypatch.setattr(command, "FEWEST", 1_000)
    with own_database():
        execute("SELECT setval('enrollments_receipt_id_seq', 1, false)")
        yield


@pytest.fixture
def superuser():
    if rows("SELECT current_setting('is_superuser')") != [("on",)]:
        pytest.skip("only a superuser makes roles and passes triggers")


def partition(rows=WIDTH):
    return list(partition_receipts(rows=rows))


def ran(*arguments):
    out = StringIO()
    call_command("partition_receipts", *arguments, stdout=out)
    return re.sub(r"\d+\.\d s", "0.0 s", out.getvalue())


def ranges():
    return [(each.name, each.first, each.end) for each in parts_of_receipts()]


def lying():
    """How many receipts lie in which table."""
    return dict(rows("SELECT tableoid::regclass::text, count(*) FROM enrollments_receipt GROUP BY 1"))


def rows(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def shape():
    """All that the table promises, whether it is one or many."""
    table = "'enrollments_receipt'::regclass"
    found = {
        "columns": rows(
            "SELECT attname, atttypid::regtype::text, atttypmod, attnotnull, attidentity, pg_get_expr(adbin, adrelid)"
            f" FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            f" WHERE attrelid = {table} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ),
        "constraints": rows(
            f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {table} AND contype <> 'n'"
        ),
        "indexes": rows(
            "SELECT replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') FROM pg_index"
            f" WHERE indrelid = {table} AND indisvalid"
        ),
        "triggers": rows(f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = {table} AND NOT tgisinternal"),
        "referred to": rows(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            f" WHERE confrelid = {table} AND conrelid <> confrelid AND conparentid = 0"
        ),
        "owner": rows(f"SELECT relowner::regrole::text FROM pg_class WHERE oid = {table}"),
        "privileges": rows(
            "SELECT relkind IN ('r', 'p'), grantee::regrole::text, privilege_type, is_grantable"
            f" FROM pg_class, aclexplode(relacl) WHERE oid IN ({table}, 'enrollments_receipt_id_seq'::regclass)"
            " UNION SELECT NULL, grantee::regrole::text, attname || privilege_type, is_grantable"
            f" FROM pg_attribute, aclexplode(attacl) WHERE attrelid = {table}"
        ),
    }
    return {name: sorted(each, key=str) if name != "columns" else each for name, each in found.items()}


def left_one():
    """A customer who has left, and his receipt."""
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    return customer, unenroll(customer=customer, target=target, at=START, **ACT)


def wait_until(holds):
    ends_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


def closing(act, *arguments):
    """In a thread, whose connection would keep the database from being dropped."""
    try:
        return act(*arguments)
    finally:
        connection.close()


def in_other_thread(act):
    with ThreadPoolExecutor(1) as other:
        return other.submit(closing, act).result()


def test_what_was_promised_of_one_table_is_promised_of_all_parts(superuser):
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS partly; CREATE ROLE partly")
        cursor.execute("GRANT SELECT, INSERT ON enrollments_receipt TO partly WITH GRANT OPTION")
        cursor.execute("GRANT UPDATE (reason) ON enrollments_receipt TO partly, PUBLIC")
        cursor.execute("GRANT USAGE ON enrollments_receipt_id_seq TO partly")
    try:
        before = shape()
        partition()
        after = shape()
    finally:
        execute("DROP OWNED BY partly; DROP ROLE partly")

    lost = {text for (text,) in before["constraints"]} - {text for (text,) in after["constraints"]}
    (new_index,) = set(after["indexes"]) - set(before["indexes"])
    (lost_index,) = set(before["indexes"]) - set(after["indexes"])
    (new_trigger,) = set(after["triggers"]) - set(before["triggers"])
    assert lost == ONLY_IN_ONE_TABLE
    assert len(after["constraints"]) == len(before["constraints"]) - 2
    assert "receipt_taken_back" in new_index[0]
    assert "(undoes_id)" in lost_index[0]
    assert "taken_back_once BEFORE INSERT" in new_trigger[0]
    assert set(before["triggers"]) < set(after["triggers"])
    for name in ("columns", "referred to", "owner", "privileges"):
        assert after[name] == before[name], name
    assert len(after["privileges"]) > 7
    assert rows("SELECT conname FROM pg_constraint WHERE NOT convalidated AND conparentid = 0") == []
    assert nobody_is_barred()


def test_every_answer_stays_what_it_was():
    site = new_site()
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    abc.buy()
    abc.unenroll(reason="moved away")
    abc.go_to(2)
    abc.enroll()

    def feed():
        """All receipts, once no transaction that is older runs any more, whoever else's."""
        wait_until(lambda: len(site.get("/v3/receipts")[1]["data"]) == Receipt.objects.count())
        return site.get("/v3/receipts")[1]["data"]

    def told():
        target = abc.group["targets"][0]["id"]
        paths = [
            f"/v3/receipts/{Receipt.objects.order_by('pk')[1].pk}",
            f"/v3{abc.path}/enrollments/{CUSTOMER}",
            f"/v3/users/{CUSTOMER}/trackedTargetEvents/{target}",
            f"/v3/users/{CUSTOMER}/targetGroups",
        ]
        return [(200, feed()), *(site.get(path) for path in paths)]

    before = told()
    partition()
    after = told()
    abc.unenroll()

    assert {status for status, _ in before} == {200}
    assert after == before
    assert lying() == {"enrollments_receipt_1": 3, "enrollments_receipt_2": 1}
    assert [each.pk for each in Receipt.objects.order_by("pk")][-1] == 2 * WIDTH
    assert [each["receiptId"] for each in feed()] == [each.pk for each in Receipt.objects.order_by("pk")]
    assert list(all_violations()) == []


def test_sessions_that_are_open_go_on():
    """Their functions were compiled for one table: each writes a leave before and after."""
    left_one()
    target = Stay.objects.get().participation.target
    others = [CustomerFactory(brand=target.brand) for _ in range(4)]
    for each in others:
        enroll(customer=each, target=target, at=START, **ACT)
    unenroll(customer=others[0], target=target, at=START, **ACT)
    unenroll_together(target=target, customer_ids=[others[1].customer_id], at=START, **ACT)

    in_other_thread(partition)
    unenroll(customer=others[2], target=target, at=START, **ACT)
    unenroll_together(target=target, customer_ids=[others[3].customer_id], at=START, **ACT)

    assert lying() == {"enrollments_receipt_1": 8, "enrollments_receipt_2": 2}
    assert not Stay.objects.filter(end_cycle=None).exists()
    assert list(all_violations()) == []


def test_who_is_amid_a_leave_is_given_way_to_and_ends_it_where_its_number_belongs(monkeypatch):
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    has_number, goes_on, was_in_vain = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(partitioning, "TRIES", 10_000)
    monkeypatch.setattr(partitioning, "time", SimpleNamespace(sleep=lambda seconds: was_in_vain.set()))

    def stop(execute, sql, params, many, context):
        if sql.startswith(STORE):
            has_number.set()
            assert goes_on.wait(30)
        return execute(sql, params, many, context)

    def leaves():
        with connection.execute_wrapper(stop):
            return unenroll(customer=customer, target=target, at=START, **ACT)

    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(closing, leaves)
        assert has_number.wait(30)
        divided = ThreadPoolExecutor(1).submit(closing, partition)
        assert was_in_vain.wait(30)
        goes_on.set()
        receipt = leaving.result()
    divided.result()

    assert receipt.pk < 2 * WIDTH
    assert lying() == {"enrollments_receipt_1": 2}
    assert Stay.objects.get().leave_receipt_id == receipt.pk
    left_one()
    assert lying() == {"enrollments_receipt_1": 2, "enrollments_receipt_2": 2}
    assert list(all_violations()) == []


def test_a_receipt_is_taken_back_once_wherever_it_lies():
    customer, left = left_one()
    before = left
    partition()
    undo_leave(receipt=before, at=START, **ACT)
    target = Stay.objects.get().participation.target
    after = unenroll(customer=customer, target=target, at=START, **ACT)
    undone = undo_leave(receipt=after, at=START, **ACT).receipt

    def taking_back(what):
        again = Receipt.objects.get(pk=undone.pk)
        again.pk, again.undoes_id = None, what
        again.save(force_insert=True)

    for what, name in ((before.pk, ONCE), (after.pk, ONCE), (5 * WIDTH, EXISTS), (7, EXISTS)):
        with pytest.raises(IntegrityError) as refused:
            taking_back(what)
        assert refused.value.__cause__.diag.constraint_name == name
    assert lying() == {"enrollments_receipt_1": 2, "enrollments_receipt_2": 3}
    assert list(all_violations()) == []


def taking_back(left, backends=None):
    if backends is not None:
        backends.append(rows("SELECT pg_backend_pid()")[0][0])
    receipt = Receipt.objects.get(pk=left.pk)
    receipt.pk, receipt.undoes_id, receipt.kind = None, left.pk, ReceiptKind.UNENROLMENT_UNDONE
    receipt.save(force_insert=True)


def test_of_two_who_take_the_same_back_at_once_the_second_is_refused():
    _, left = left_one()
    partition()
    backends = []

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            taking_back(left)
            second = pool.submit(closing, taking_back, left, backends)
            wait_until(lambda: backends and rows("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", backends[-1]))
        with pytest.raises(IntegrityError) as refused:
            second.result()

    assert refused.value.__cause__.diag.constraint_name == ONCE
    assert Receipt.objects.filter(undoes=left.pk).count() == 1


def test_what_was_taken_back_twice_past_the_trigger_is_found(superuser):
    _, left = left_one()
    partition()
    undo_leave(receipt=left, at=START, **ACT)

    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        again = Receipt.objects.get(undoes=left.pk)
        again.pk = None
        again.save(force_insert=True)

    assert {each.check.name for each in all_violations()} == {"undoing_takes_a_leave_back"}


def test_taking_back_is_for_who_sees_what_others_have_just_committed():
    _, left = left_one()
    partition()

    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(NotSupportedError, match="READ COMMITTED only"):
            taking_back(left)
        transaction.set_rollback(True)

    assert lying() == {"enrollments_receipt_1": 2}


def test_history_stays_history_and_an_erased_customer_is_emptied():
    customer, old = left_one()
    partition()
    enroll(customer=customer, target=old.participation.target, at=START + timedelta(days=1), **ACT)
    left = unenroll(customer=customer, target=old.participation.target, at=START + timedelta(days=1), **ACT)

    for change in ("UPDATE enrollments_receipt SET reason = ''", "DELETE FROM enrollments_receipt"):
        with pytest.raises(IntegrityError, match="are history"):
            execute(change)
    with pytest.raises(IntegrityError, match="stay_ended_by_its_receipt"):
        execute("UPDATE enrollments_stay SET leave_receipt_id = %s", left.pk - 1)
    erase_customer(customer=customer, at=START + timedelta(days=200), **ACT)

    assert set(Receipt.objects.values_list("reason", "request_id")) == {("", "")}
    assert lying() == {"enrollments_receipt_1": 2, "enrollments_receipt_2": 2}


def test_a_batch_is_undone_across_parts():
    target = make_programme()
    customers = [CustomerFactory(brand=target.brand) for _ in range(6)]
    for each in customers:
        enroll(customer=each, target=target, at=START, **ACT)
    numbers = [each.customer_id for each in customers]
    for each in (numbers[:3], numbers[3:]):
        unenroll_together(target=target, customer_ids=each, at=START, **ACT)
        partition()
    left = list(Receipt.objects.filter(kind=ReceiptKind.UNENROLLED).values_list("pk", flat=True))

    undone = undo_together(target=target, receipt_ids=left, at=START, **ACT)

    assert list(undone) == left
    assert lying() == {"enrollments_receipt_1": 9, "enrollments_receipt_2": 9}
    assert Stay.objects.filter(end_cycle=None).count() == 6
    assert list(all_violations()) == []


def test_a_part_is_always_ahead():
    partition()
    begun = ranges()
    again = partition(None)
    execute("SELECT setval('enrollments_receipt_id_seq', 2500)")
    steps = partition(None)
    grown = ranges()
    execute("SELECT setval('enrollments_receipt_id_seq', 3500)")
    partition(5_000)

    assert begun == [
        ("enrollments_receipt_1", None, 2_000),
        ("enrollments_receipt_2", 2_000, 3_000),
        ("enrollments_receipt_rest", None, None),
    ]
    assert again == []
    assert steps == ["Adding a part from 3,000"]
    assert grown == [*begun[:2], ("enrollments_receipt_3", 3_000, 4_000), begun[2]]
    assert ranges() == [*grown[:3], ("enrollments_receipt_4", 4_000, 9_000), begun[2]]
    assert rows("SELECT nextval('enrollments_receipt_id_seq')") == [(3_501,)]


def test_what_came_too_late_for_its_part_lies_in_the_rest_and_new_ones_go_on_in_a_part():
    partition()
    execute("SELECT setval('enrollments_receipt_id_seq', 2999)")
    left_one()
    before = lying()
    steps = partition()
    left_one()
    execute("SELECT setval('enrollments_receipt_id_seq', 5300)")
    partition()

    assert before == {"enrollments_receipt_rest": 2}
    assert steps == [
        "Proving that all other receipts lie below 5,000",
        "Adding a part from 5,000",
        "Going on with receipt 5,000",
    ]
    assert lying() == {"enrollments_receipt_rest": 2, "enrollments_receipt_3": 2}
    assert ranges()[2:] == [
        ("enrollments_receipt_3", 5_000, 6_000),
        ("enrollments_receipt_4", 7_000, 8_000),
        ("enrollments_receipt_rest", None, None),
    ]
    assert nobody_is_barred()
    assert list(all_violations()) == []


def test_while_a_part_is_added_numbers_past_the_last_one_are_not_refused():
    partition()
    execute("SELECT setval('enrollments_receipt_id_seq', 2998)")

    steps = []
    for step in partition_receipts():
        steps.append(step)
        assert nobody_is_barred()
    left_one()

    assert steps == ["Adding a part from 3,000"]
    assert lying() == {"enrollments_receipt_2": 1, "enrollments_receipt_3": 1}


def nobody_is_barred():
    return rows("SELECT FROM pg_constraint WHERE conname = %s", partitioning.BELOW) == []


def test_of_an_empty_part_nothing_is_known():
    """What is known to be empty is read from end to end by plans that are kept."""
    left_one()
    partition()
    fresh = dict(rows("SELECT relname, reltuples FROM pg_class WHERE relname ~ '^enrollments_receipt_[12]$'"))
    known = rows("SELECT count(*) FROM pg_stats WHERE tablename = 'enrollments_receipt' AND inherited")

    assert fresh == {"enrollments_receipt_1": 2, "enrollments_receipt_2": -1}
    assert known[0][0] > 20


def test_two_at_once_divide_once():
    first = partition_receipts(rows=WIDTH)
    while not next(first).startswith("Making"):
        pass

    in_other_thread(partition)
    with pytest.raises(ReceiptsInUse, match="somebody else"):
        list(first)
    left_one()

    assert lying() == {"enrollments_receipt_2": 2}
    assert nobody_is_barred()


def test_what_would_go_on_with_the_first_part_alone_is_named():
    execute("CREATE VIEW of_ours AS SELECT id FROM enrollments_receipt")
    execute("CREATE PUBLICATION to_others FOR TABLE enrollments_receipt")
    before = shape()

    with pytest.raises(ReceiptsInUse, match="the publication to_others, the view of_ours would go on"):
        partition()
    nothing_changed(before)
    execute("DROP VIEW of_ours; DROP PUBLICATION to_others")
    partition()

    assert len(ranges()) == 3


def nothing_changed(before):
    after = shape()
    (new_index,) = set(after.pop("indexes")) - set(before.pop("indexes"))  # made, and used the next time
    assert "receipt_taken_back" in new_index[0]
    assert after == before
    assert ranges() == []
    assert nobody_is_barred()


def test_interrupted_at_each_of_its_statements_it_is_gone_on_with():
    """Once at each, by a failure of the database or by the end of the connection."""
    statements = []

    def record(execute, sql, params, many, context):
        statements.append((sql, str(params)))
        return execute(sql, params, many, context)

    with own_database("again"):
        with connection.execute_wrapper(record):
            partition()
        promised = shape()
    assert len(set(statements)) > 25

    def is_interrupted_at(statement, is_killed):
        def watch(execute, sql, params, many, context):
            if (sql, str(params)) == statement and not reached:
                reached.append(statement)
                if not is_killed:
                    raise OperationalError("out of disk")
                ends_connection(connection.connection.info.backend_pid)
            return execute(sql, params, many, context)

        reached = []
        try:
            with connection.execute_wrapper(watch):
                partition()
            return False
        except Error:
            return True
        finally:
            connection.close()

    count = 0
    for place, statement in enumerate(dict.fromkeys(statements)):
        count += is_interrupted_at(statement, is_killed=place % 3 == 0)
        left_one()  # nobody is kept from it
    partition()
    left_one()

    assert count > 20, count
    assert shape() == promised
    assert rows("SELECT FROM pg_constraint WHERE NOT convalidated AND conparentid = 0") == []
    assert nobody_is_barred()
    assert sum(lying().values()) == 2 * (place + 2)
    assert list(all_violations()) == []


def test_whoever_is_in_the_way_is_named_and_nothing_changes(monkeypatch):
    monkeypatch.setattr(partitioning, "TRIES", 2)
    before = shape()
    reading, told = threading.Event(), threading.Event()

    def report():
        with transaction.atomic():
            execute("SET LOCAL application_name = 'a long report'")
            Receipt.objects.count()
            reading.set()
            told.wait(30)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(report)
        assert reading.wait(10)
        try:
            with pytest.raises(CommandError, match=r"Not now: \d+ \(a long report, since .*Run it again") as refused:
                ran("--rows", "1000")
        finally:
            told.set()
        reader.result()

    assert refused.value.returncode == 1
    nothing_changed(before)


def test_others_unenrol_all_the_while():
    target = make_programme()
    ended, left = threading.Event(), []

    def works(number):
        try:
            while not ended.is_set():
                customer = CustomerFactory(brand=target.brand)
                enroll(customer=customer, target=target, at=START, **ACT)
                receipt = unenroll(customer=customer, target=target, at=START, **ACT)
                if len(left) % 3 == 0:
                    undo_leave(receipt=receipt, at=START, **ACT)
                left.append(receipt.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        try:
            working = [pool.submit(works, number) for number in range(3)]
            wait_until(lambda: len(left) >= 10 or any(each.done() for each in working))
            partition(10_000)
            at_once = len(left)
            wait_until(lambda: len(left) >= at_once + 10 or any(each.done() for each in working))
        finally:
            ended.set()
        for each in working:
            each.result()

    tables = lying()
    assert sum(tables.values()) == Receipt.objects.count()
    assert set(tables) == {"enrollments_receipt_1", "enrollments_receipt_2"}
    assert len(left) == len(set(left)) >= at_once + 10
    assert Receipt.objects.filter(kind=ReceiptKind.UNENROLLED).count() == len(left)
    assert list(all_violations()) == []


def test_command_tells_what_it_does_and_which_parts_there_are():
    told = [ran("--list"), ran("--rows", "1000"), ran(), ran("--list")]

    parts = (
        "enrollments_receipt_1      to 1,999                         about 0 receipts, N\n"
        "enrollments_receipt_2      2,000 to 2,999                   about 0 receipts, N\n"
        "enrollments_receipt_rest   all other numbers                about 0 receipts, N\n"
    )
    assert [re.sub(r"receipts, .*", "receipts, N", each) for each in told] == [
        "All receipts lie in one table.\n",
        "Indexing receipts that take another one back ... 0.0 s\n"
        "Proving that all receipts lie below 2,000 ... 0.0 s\n"
        "Making it the first part ... 0.0 s\n"
        "Checking enrollments_activityoutcome: enrollments_activity_left_by_id_a6c2cef2_fk_enrollmen ... 0.0 s\n"
        "Checking enrollments_plannedleave: enrollments_plannedl_receipt_id_5719d43d_fk_enrollmen ... 0.0 s\n"
        "Checking enrollments_stay: stay_ended_by_its_receipt ... 0.0 s\n"
        "Adding a part from 2,000 ... 0.0 s\n"
        "Going on with receipt 2,000 ... 0.0 s\n" + parts,
        parts,
        parts,
    ]


@pytest.mark.parametrize("number", ["0", "999", "-1", "many", "1e6", "٣٠٠٠"])
def test_command_refuses_what_is_no_number_of_rows(number):
    with pytest.raises(CommandError, match="--rows"):
        ran(f"--rows={number}")

    assert ranges() == []


def test_interrupted_command_says_so(monkeypatch):
    def interrupted(**names):
        yield "Gathering statistics"
        raise KeyboardInterrupt

    monkeypatch.setattr("enrollments.management.commands.partition_receipts.partition_receipts", interrupted)

    with pytest.raises(CommandError, match=r"^Interrupted\. Run it again") as ended:
        ran()

    assert ended.value.returncode == 130


def test_command_says_so_when_the_database_fails(monkeypatch):
    def lost(**names):
        raise OperationalError("server closed the connection")
        yield

    monkeypatch.setattr("enrollments.management.commands.partition_receipts.partition_receipts", lost)

    with pytest.raises(CommandError, match=r"server closed the connection\. Run it again"):
        ran()
