"""The floor of `unEnroll`: pgbench sends the least SQL that is correct, prepared, and decides nothing.

Lock of the participation, shared calendar, then receipt, stay and participation by one statement, in one transaction;
no HTTP, no authentication, nothing looked up but what the receipt says.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from glob import glob
from pathlib import Path

from django.db import connection

from enrollments.locks import CALENDAR
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.load import Load

SCRIPT = """
\\set customer :first + :client_id + :clients * :done
\\set done :done + 1
BEGIN;
SELECT his.id AS participation, pg_advisory_xact_lock_shared(:kind::integer, :calendar::integer) AS locked
  FROM (SELECT id FROM enrollments_participation
         WHERE target_id = :target
           AND customer_id = (SELECT id FROM targets_customer WHERE brand_id = :brand AND customer_id = :customer)
           FOR NO KEY UPDATE) his \\gset
WITH receipt AS (
  INSERT INTO enrollments_receipt (
    brand_id, participation_id, stay_id, kind, effective_at, recorded_at, source, actor, reason, request_id,
    run_number, streak_count, cycle_count, programme_version, from_cycle, first_cycle, end_cycle, running_cycle,
    running_value, running_verdict, ignored_fields)
  SELECT :brand, stay.participation_id, stay.id, 'UNENROLLED', now(), now(), 'API', 'pgbench', '', '',
         stay.run_number, 0, target_group.cycle_count, target_group.version, cycle.number, stay.first_cycle,
         cycle.number, cycle.number, progress.value, 'left', '{}'
    FROM enrollments_stay stay
    JOIN targets_targetgroup target_group ON target_group.id = :group
    JOIN targets_cycle cycle ON cycle.target_group_id = :group AND now() >= cycle.starts_at AND now() < cycle.ends_at
    LEFT JOIN enrollments_progress progress ON progress.participation_id = stay.participation_id
          AND progress.run_number = stay.run_number AND progress.cycle_number = cycle.number
   WHERE stay.participation_id = :participation AND stay.end_cycle IS NULL AND cycle.closed_at IS NULL
  RETURNING id, stay_id, end_cycle, effective_at
), stay AS (
  UPDATE enrollments_stay SET end_cycle = receipt.end_cycle, left_at = effective_at, leave_receipt_id = receipt.id
    FROM receipt WHERE enrollments_stay.id = stay_id
)
UPDATE enrollments_participation SET changed_at = effective_at FROM receipt
 WHERE enrollments_participation.id = :participation;
COMMIT;
"""
ANSWERED = re.compile(r"number of transactions actually processed: (\d+)")
A_SECOND = re.compile(r"tps = ([0-9.]+)")


def pgbench() -> str | None:
    """The program, the newest there is; None where it is not installed."""
    installed = glob("/usr/lib/postgresql/*/bin/pgbench")
    return max(installed, default=None, key=lambda path: int(Path(path).parts[4])) or shutil.which("pgbench")


def run(crowd: Crowd, *, first: int, customers: int, connections: int) -> Load:
    """Unenrol so many customers, or a few less, from number `first` on."""
    program = pgbench()
    assert program
    at = connection.get_connection_params()
    known = {
        "PGHOST": at.get("host"),
        "PGPORT": at.get("port"),
        "PGUSER": at.get("user"),
        "PGPASSWORD": at.get("password"),
    }
    environment = {name: str(value) for name, value in known.items() if value} | {"PGDATABASE": at["dbname"]}
    variables = {
        "first": first,
        "clients": connections,
        "done": 0,
        "kind": CALENDAR,
        "calendar": crowd.target.target_group_id % 2**31,
        "brand": crowd.brand.pk,
        "group": crowd.target.target_group_id,
        "target": crowd.target.pk,
    }
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "unenrol.sql"
        script.write_text(SCRIPT)
        done = subprocess.run(
            [
                *(program, "--no-vacuum", "--protocol=prepared", f"--client={connections}", "--jobs=1"),
                *(f"--transactions={customers // connections}", "--log"),
                *(f"--log-prefix={directory}/log", f"--file={script}"),
                *(f"--define={name}={value}" for name, value in variables.items()),
            ],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = [line for log in Path(directory).glob("log.*") for line in log.read_text().splitlines()]
    statuses = Counter({"200": int(ANSWERED.findall(done.stdout)[0])})
    milliseconds = sorted(int(line.split()[2]) / 1000 for line in lines)
    return Load(statuses["200"] / float(A_SECOND.findall(done.stdout)[0]), dict(statuses), milliseconds)
