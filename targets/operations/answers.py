"""Doing the work of a repeated call once, and answering it again (api.md 1)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import OperationalError, connection, transaction

from targets.errors import AnswerErased, KeyReused, StillRunning
from targets.models import ApiUser, Brand, Customer, StoredAnswer

PURGED_AT_ONCE = 1_000

# A lock or a statement that took too long. At the first statement of the transaction it can only be the key's.
TOOK_TOO_LONG = ("55P03", "57014")

# Without naming the columns: it waits for whoever is inserting the same key, until he commits or rolls back.
CLAIM = """
INSERT INTO targets_storedanswer (api_user_id, key_digest, fingerprint, body, customer_ids, recorded_at)
VALUES (%s, %s, %s, '', %s, %s)
ON CONFLICT DO NOTHING
RETURNING id
"""
LOCK_CUSTOMERS = """
SELECT FROM targets_customer WHERE brand_id = %s AND customer_id = ANY(%s) ORDER BY customer_id FOR NO KEY UPDATE
"""
# An array, found once: a query in its place the planner may join to, and ask for so many more with every row.
PURGE = """
DELETE FROM targets_storedanswer WHERE id = ANY(ARRAY(
    SELECT id FROM targets_storedanswer WHERE recorded_at < %s ORDER BY recorded_at LIMIT %s FOR UPDATE SKIP LOCKED
))
"""


@dataclass(frozen=True)
class KeyedCall:
    """A call with a key. `key_digest` and `fingerprint` are hexadecimal; `customer_ids` are those it names."""

    api_user: ApiUser
    key_digest: str
    fingerprint: str
    customer_ids: Sequence[int]
    at: datetime


class FirstAnswer(NamedTuple):
    """What the operation decided: HTTP status, body, and the customers it speaks of beside those of the call."""

    status: int
    body: str
    customer_ids: Sequence[int] = ()


def answer_once(call: KeyedCall, work: Callable[[], FirstAnswer]) -> tuple[FirstAnswer, bool]:
    """The answer of `work`, or the one that was given when the key was first sent; whether it is a repeated one.

    The work, its answer and the key are one transaction: what `work` opens becomes savepoints in it, and if it raises,
    nothing remains, so that a repeat does it. A refusal that is to be remembered is therefore returned, not raised.
    A simultaneous second call waits for the first, holding nothing. Raises `KeyReused`, `StillRunning` after
    `lock_timeout`, `AnswerErased`, and whatever `work` raises.
    """
    with transaction.atomic():
        pk = _claim(call)
        if pk is None:
            return _first_answer(call), True
        lock_customers(call.api_user.brand, call.customer_ids)
        answer = work()
        spoken_of = sorted({*call.customer_ids, *answer.customer_ids})
        StoredAnswer.objects.filter(pk=pk).update(status=answer.status, body=answer.body, customer_ids=spoken_of)
        return answer, False


def _claim(call: KeyedCall) -> int | None:
    """The new row, or None where the key is known."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                CLAIM,
                [call.api_user.pk, call.key_digest, call.fingerprint, sorted(call.customer_ids), call.at],
            )
            claimed = cursor.fetchone()
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) not in TOOK_TOO_LONG:
            raise
        raise StillRunning from None
    return claimed[0] if claimed else None


def _first_answer(call: KeyedCall) -> FirstAnswer:
    stored = StoredAnswer.objects.filter(api_user=call.api_user, key_digest=call.key_digest).first()
    if stored is None or stored.status is None:  # purged between our two statements
        raise StillRunning
    if stored.fingerprint != call.fingerprint:
        raise KeyReused
    if not stored.body:
        raise AnswerErased
    return FirstAnswer(stored.status, stored.body)


def lock_customers(brand: Brand, customer_ids: Sequence[int]) -> None:
    """Lock the customers, in the order of their numbers as `put_customers` does, before anything else is locked.

    Whoever erases one of them waits, and then finds the answer that speaks of him. Calls with a key that name the same
    customers take turns, since they hold what they lock until the last of their work is done. Foreign keys to a
    customer do not wait.
    """
    if customer_ids:
        with connection.cursor() as cursor:
            cursor.execute(LOCK_CUSTOMERS, [brand.pk, list(customer_ids)])


def forget_answers(customer: Customer) -> int:
    """Empty every stored answer that speaks of him; how many. Their keys stay known, so nothing is done again.

    The caller has locked the customer, and he still has his number.
    """
    answers = StoredAnswer.objects.filter(
        api_user__brand=customer.brand_id, customer_ids__contains=[customer.customer_id]
    )
    return answers.update(body="", customer_ids=[])


def purge_answers(*, before: datetime, at_once: int = PURGED_AT_ONCE) -> Iterator[int]:
    """Remove what was answered before that instant, oldest first; how many, a transaction each time.

    What is not consumed is not removed. Several may do it at once.
    """
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PURGE, [before, at_once])
            removed = cursor.rowcount
        if not removed:
            return
        yield removed
