"""Feeds that skip nothing: rows are ordered by the transaction that wrote them, then by id."""

from django.db.models import BigIntegerField, Func, TextField


class TransactionId(Func):
    """The id of the writing transaction, as bigint; a column's default."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = BigIntegerField()


class FeedHorizon(Func):
    """Transactions below this id are all finished: no row with a smaller id can still appear."""

    template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    output_field = BigIntegerField()


class Snapshot(Func):
    """What the writing statement saw: `xmin:xmax:running,...`, PostgreSQL's text form; a column's default."""

    template = "(pg_current_snapshot()::text)"
    output_field = TextField()


def is_visible(transaction_id: int, snapshot: str) -> bool:
    """Whether a row of `transaction_id` had been committed when `snapshot` was taken."""
    lowest, highest, running = snapshot.split(":")
    if transaction_id < int(lowest):
        return True
    return transaction_id < int(highest) and str(transaction_id) not in running.split(",")
