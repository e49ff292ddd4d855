"""`unenroll --apply` as a real process that is killed with -9, amid a chunk and after one (domain.md 8)."""

import csv
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from enrollments.integrity import all_violations
from enrollments.models import Participation, Receipt, Stay
from tests.concurrency.scenes import enrolled, running_programme
from tests.concurrency.workers import A_LOOK, TOO_LONG, backend_that_waits, url_of_this_database
from tests.enrollments.test_commands import run, run_command

pytestmark = pytest.mark.django_db(transaction=True)


def kill_where_it_waits(path: Path) -> None:
    """Carry the plan out until it waits for this transaction; then it is dead, and this transaction goes on."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "unenroll", f"--apply={path}"],
        stdout=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url_of_this_database()},
    )
    backend = backend_that_waits()
    process.kill()
    process.wait()
    with connection.cursor() as cursor:
        # It waits for a lock of ours, so it would not notice before it gets that.
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend])


def wait_until_alone() -> None:
    """No other session has anything uncommitted."""
    until = time.monotonic() + TOO_LONG
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(A_LOOK)
    raise AssertionError("somebody is still amid a transaction")


def test_plan_killed_amid_a_chunk_and_after_one_is_carried_out_once_and_told_as_a_whole(tmp_path: Path) -> None:
    target = running_programme()
    customers = [enrolled(target) for _ in range(3)]
    path = tmp_path / "plan.csv"
    run(target, f"--plan={path}", "--customer", *(str(each.customer_id) for each in customers))

    with transaction.atomic():
        Stay.objects.select_for_update(of=("self",)).get(participation__customer=customers[1])
        kill_where_it_waits(path)
    wait_until_alone()
    amid = Receipt.objects.filter(source="COMMAND").count()
    with transaction.atomic():
        Participation.objects.select_for_update().get(customer=customers[1])
        kill_where_it_waits(path)
    wait_until_alone()
    after = set(Receipt.objects.filter(source="COMMAND").values_list("participation__customer", flat=True))
    code, out = run_command(f"--apply={path}", "--format=csv")

    receipts = {each.participation.customer_id: each.pk for each in Receipt.objects.filter(source="COMMAND")}
    told = [(row["customerId"], row["outcome"], row["receiptId"]) for row in csv.DictReader(StringIO(out))]
    assert amid == 0
    assert after == {customers[0].pk, customers[2].pk}
    assert code == 0
    assert told == [(str(each.customer_id), "unenrolled", str(receipts[each.pk])) for each in customers]
    assert Receipt.objects.filter(source="COMMAND").count() == 3
    assert list(all_violations()) == []
