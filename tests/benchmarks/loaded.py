"""A database that `make load` has filled: programmes made short and long, and calls of customers taken by chance."""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, transaction
from django.db.utils import load_backend
from django.test import override_settings
from environ import Env

from config.settings import connected
from enrollments.enums import ReceiptKind, Source
from enrollments.models import Receipt
from enrollments.operations.undoing_together import undo_together
from targets.models import ApiUser, Brand, Target
from tests.benchmarks.contenders import CREDENTIALS_KEY
from tests.benchmarks.loading import CYCLE, CYCLES
from tests.factories import ApiUserFactory

SHORT, LONG = 5, 100
LENGTHS = (SHORT, CYCLES, LONG)  # cycles; of the programmes half are left as they are loaded
BRAND = "Large"  # as `make load` names it, however large
CALLER = "flat"
PAGE = 8192  # bytes

# Nobody has any row in a cycle to come. Taking one away is what no operation does and a trigger refuses; that there are
# receipts which tell of twelve cycles is no matter here.
SHORTEN = f"""
SET LOCAL session_replication_role = replica;
DELETE FROM targets_targetvalue WHERE target_id = ANY (%(targets)s) AND cycle_id IN (
  SELECT id FROM targets_cycle WHERE target_group_id = ANY (%(groups)s) AND number > {SHORT});
DELETE FROM targets_cycle WHERE target_group_id = ANY (%(groups)s) AND number > {SHORT};
UPDATE targets_targetgroup SET cycle_count = {SHORT} WHERE id = ANY (%(groups)s);
SET LOCAL session_replication_role = origin;
"""
LENGTHEN = f"""
UPDATE targets_targetgroup SET cycle_count = {LONG} WHERE id = ANY (%(groups)s);
INSERT INTO targets_cycle
  (target_group_id, number, ref_code, description, starts_at, ends_at, late_days, closes_at, paid_through)
SELECT target_group_id, n, 'c' || n, '', starts_at + (n - number) * %(cycle)s, ends_at + (n - number) * %(cycle)s,
       late_days, closes_at + (n - number) * %(cycle)s, 0
  FROM targets_cycle CROSS JOIN generate_series({CYCLES} + 1, {LONG}) n
 WHERE target_group_id = ANY (%(groups)s) AND number = {CYCLES} ORDER BY target_group_id, n;
INSERT INTO targets_targetvalue (target_id, cycle_id, value, allocation)
SELECT last.target_id, cycle.id, last.value, last.allocation
  FROM targets_cycle cycle
  JOIN targets_cycle loaded ON loaded.target_group_id = cycle.target_group_id AND loaded.number = {CYCLES}
  JOIN targets_targetvalue last ON last.cycle_id = loaded.id
 WHERE cycle.target_group_id = ANY (%(groups)s) AND cycle.number > {CYCLES} ORDER BY cycle.id;
"""

SIZE = """
SELECT count(*), pg_database_size(current_database()), current_setting('shared_buffers') FROM enrollments_stay
"""
# Tables are read from end to end, so that no row that will be called for is nearer than any other one.
EVENLY = """
SET LOCAL enable_nestloop = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off;
"""
BY_CHANCE = """
SELECT target_group.cycle_count, target_group.id, target.id, customer.customer_id
  FROM enrollments_participation participation TABLESAMPLE BERNOULLI (%(percent)s)
  JOIN enrollments_stay stay ON stay.participation_id = participation.id AND stay.end_cycle IS NULL
  JOIN targets_customer customer ON customer.id = participation.customer_id
  JOIN targets_target target ON target.id = participation.target_id
  JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
 WHERE participation.brand_id = %(brand)s ORDER BY random()
"""

# What old rows of a call are found by and read from: all of it but the receipts of others, whose indexes it writes.
WARM = """
SELECT sum(pg_prewarm(each, 'read')) FROM (
  SELECT unnest(ARRAY['targets_customer', 'enrollments_participation', 'enrollments_stay', 'enrollments_progress',
                      'rewards_grant']::regclass[])
  UNION ALL
  SELECT indexrelid::regclass FROM pg_index
   WHERE indrelid = ANY (ARRAY['targets_customer', 'enrollments_participation', 'enrollments_stay',
                               'enrollments_progress', 'enrollments_receipt', 'rewards_grant']::regclass[])
) relations (each)
"""

Call = tuple[str, int]  # path and customer


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Django's connection is one to the PostgreSQL that `url` names, for all that is done inside, in this thread."""
    former = connections["default"]
    named = connections.configure_settings(
        {"default": connected(Env.db_url_config(url) | {"ENGINE": "config.postgres"})}
    )
    connections["default"] = load_backend("config.postgres").DatabaseWrapper(named["default"], "default")
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connection.close()
        connections["default"] = former
        ContentType.objects.clear_cache()


class Loaded:
    """Calls of who is enrolled, taken by chance from all of the tables; each may leave, and is put back afterwards."""

    def __init__(self, url: str, *, calls: int) -> None:
        """`calls`: so many at least for each length, or all where there are fewer."""
        self.url = url
        self._calls: dict[int, deque[Call]] = defaultdict(deque)
        with connected_to(url):
            self.brand = Brand.objects.get(name=BRAND)
            with override_settings(CREDENTIALS_KEY=CREDENTIALS_KEY):
                if not ApiUser.objects.filter(user__username=CALLER).exists():
                    ApiUserFactory(brand=self.brand, user__username=CALLER)
            set_lengths(self.brand)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(SIZE)
                self.stays, self.bytes, self.shared_buffers = cursor.fetchone()
                cursor.execute(EVENLY)
                percent = min(100.0, 100 * 10 * calls / self.stays)  # each length has a quarter, some of them have left
                cursor.execute(BY_CHANCE, {"brand": self.brand.pk, "percent": percent})
                for length, group, target, customer in cursor:
                    self._calls[length].append((f"/v3/targetGroups/{group}/targets/{target}/unEnroll", customer))

    def warm(self) -> int:
        """Read all that calls need once from end to end, so that the operating system keeps as much of it as it can;
        so many bytes."""
        with connected_to(self.url), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
            cursor.execute(WARM)
            (pages,) = cursor.fetchone()
            transaction.set_rollback(True)
        return int(pages) * PAGE

    def vacuum(self) -> None:
        """What calls change is as autovacuum leaves it: the first change of a page after that has a buffer more to
        touch, the map of what is visible to all, and in a large database nearly each is the first."""
        with connected_to(self.url), connection.cursor() as cursor:
            cursor.execute("VACUUM enrollments_participation, enrollments_stay, enrollments_progress")

    def take(self, length: int, count: int) -> list[Call]:
        """Those who have not been called for as long as anybody."""
        known = self._calls[length]
        if len(known) < count:
            raise ValueError(f"{len(known):,} are enrolled in programmes of {length} cycles, not {count:,}.")
        taken = [known.popleft() for _ in range(count)]
        known.extend(taken)
        return taken

    @contextmanager
    def put_back_afterwards(self) -> Iterator[None]:
        """Connected to it; who has left inside is undone, a programme at a time."""
        with connected_to(self.url):
            last = Receipt.objects.order_by("-pk").values_list("pk", flat=True)[0]
            try:
                yield
            finally:
                self._put_back(last)

    def _put_back(self, last: int) -> None:
        left = Receipt.objects.filter(pk__gt=last, kind=ReceiptKind.UNENROLLED)
        by_target = left.order_by("participation__target").values_list("participation__target", "pk")
        for target_id, pairs in groupby(by_target, key=lambda pair: pair[0]):
            ids = [receipt_id for _, receipt_id in pairs]
            target = Target.objects.select_related("target_group").get(pk=target_id)
            undone = undo_together(
                target=target, receipt_ids=ids, at=self.brand.clock_at, by=CALLER, source=Source.COMMAND
            )
            assert len(undone) == len(ids), f"{len(undone)} of {len(ids)} were put back"


def set_lengths(brand: Brand) -> None:
    """Of four programmes, as they are loaded, one has a few cycles and one has many: both are plain milestones."""
    targets = list(Target.objects.filter(brand=brand).select_related("target_group").order_by("pk"))
    for statement, place in ((SHORTEN, 2), (LENGTHEN, 3)):
        to_change = [each for each in targets[place::4] if each.target_group.cycle_count == CYCLES]
        names = {"targets": [each.pk for each in to_change], "groups": [each.target_group_id for each in to_change]}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, names | {"cycle": CYCLE})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE, PARALLEL 0) targets_cycle, targets_targetvalue, targets_targetgroup")
