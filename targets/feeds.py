"""Feeds that skip nothing: rows are ordered by the transaction that wrote them, then by id."""

from django.db.models import BigIntegerField, Func


class TransactionId(Func):
    """The id of the writing transaction, as bigint; a column's default."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = BigIntegerField()


class FeedHorizon(Func):
    """Transactions below this id are all finished: no row with a smaller id can still appear."""

    template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    output_field = BigIntegerField()
