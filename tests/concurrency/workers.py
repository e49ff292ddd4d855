"""Real processes of `manage.py close_cycles`, and a reward that keeps them waiting just where it matters."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.conf import settings
from django.db import connection, transaction

from enrollments.enums import Source
from enrollments.operations import enroll
from rewards.models import Grant, Reward
from targets.enums import Allocation
from targets.models import Brand, Customer, Target
from tests.factories import START, CustomerFactory, make_programme

A_LOOK = 0.01  # seconds between two looks at the locks
TOO_LONG = 60  # seconds


class Worker:
    """`close_cycles --follow` in a process of its own, paying two customers at a time."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "close_cycles", "--follow", "--chunk=2", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": url_of_this_database()},
        )

    def __enter__(self) -> "Worker":
        self.says()  # how often it looks: it is ready
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def says(self) -> str:
        """The next line; waits for it."""
        return self.process.stdout.readline().rstrip("\n")

    def complains(self) -> str:
        return self.process.stderr.readline().rstrip("\n")

    def end(self) -> tuple[int, str]:
        """The exit code, and what else it said."""
        said, _ = self.process.communicate()
        return self.process.returncode, said


def url_of_this_database() -> str:
    """Host and port are given as options: the host of the embedded server is a directory."""
    parameters = connection.get_connection_params()
    user, password = (quote(parameters.get(name) or "", safe="") for name in ("user", "password"))
    options = "&".join(
        f"{name}={quote(str(parameters[name]), safe='')}" for name in ("host", "port") if parameters.get(name)
    )
    return f"postgres://{user}:{password}@/{parameters['dbname']}?{options}"


def due_programme(brand: Brand, customers: int, **details: object) -> tuple[Target, list[Customer]]:
    """Its first cycle ended long ago and is to be closed; all customers reached its value."""
    target = make_programme(brand=brand, cycles=2, allocation=Allocation.PERIOD_END, target_value=1, **details)
    members = [CustomerFactory(brand=brand) for _ in range(customers)]
    for each in members:
        enroll(customer=each, target=target, at=START, initial_balance=1, by="test", source=Source.API)
    return target, members


@contextmanager
def kept_waiting(target: Target, customer: Customer) -> Iterator[None]:
    """Who pays the customer his first cycle has to wait: another transaction seems to be about to."""
    reward = Reward.objects.get(target=target)
    with transaction.atomic():
        Grant.objects.create(
            brand_id=target.brand_id,
            customer=customer,
            target=target,
            cycle_number=1,
            run_number=1,
            allocation=Allocation.IMMEDIATE,
            reward=reward,
            reward_name=reward.name,
            reward_kind=reward.kind,
            achieved_at=START,
            granted_at=START,
        )
        yield
        transaction.set_rollback(True)


def backend_that_waits() -> int:
    """The process of the database that waits for this transaction; waits for one."""
    until = time.monotonic() + TOO_LONG
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if found := cursor.fetchone():
                return int(found[0])
        time.sleep(A_LOOK)
    raise AssertionError("no worker waits")
