"""`unEnroll` over real HTTP, side by side with peers: requests a second, latency, processor time.

Quickly, on a database of its own:

    python -m tests.benchmarks.over_http --contenders milestreak,asyncpg --connections 8 --seconds 5
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import django
from django.db import connection


@contextmanager
def database_of_its_own() -> Iterator[None]:
    connection.settings_dict["TEST"]["NAME"] = "milestreak_over_http"
    former = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(former, verbosity=0)


def main(arguments: Sequence[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests.benchmarks.comparison import Comparison
    from tests.benchmarks.contenders import CONTENDERS, PEERS, Credentials, has_peers
    from tests.benchmarks.crowd import Crowd

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contenders", default="milestreak,asyncpg", help=", ".join(each.name for each in CONTENDERS))
    parser.add_argument("--connections", default="8", help="such as 1,8,32")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(arguments)
    by_name = {each.name: each for each in CONTENDERS}
    contenders = [by_name[name] for name in asked.contenders.split(",")]
    if any(each.name in PEERS for each in contenders) and not has_peers():
        parser.error("install requirements-bench.txt, or name with PEERS_PYTHON the Python of an environment with it")
    with database_of_its_own():
        crowd = Crowd()
        comparison = Comparison(
            contenders,
            [int(number) for number in asked.connections.split(",")],
            crowd,
            Credentials.of(crowd.brand),
        )
        comparison.run(seconds=asked.seconds, rounds=asked.rounds)
    for row in comparison.table():
        print("".join(f"{text:<32}" if place == 0 else f"{text:>16}" for place, text in enumerate(row)))


if __name__ == "__main__":
    main(sys.argv[1:])
