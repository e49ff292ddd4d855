"""Rows of models out of a statement of our own, where composing it by the ORM would cost more than the rest."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Model


def _fields(model: type[Model], names: Sequence[str] | None) -> list[Any]:
    return [each for each in model._meta.concrete_fields if names is None or each.column in names]


def columns_of(row: str, model: type[Model], names: Sequence[str] | None = None) -> str:
    """The columns of `model` for a SELECT, or just those in `names`; `row` is a table's alias or a composite value."""
    return ", ".join(f'({row})."{each.column}"' for each in _fields(model, names))


class Row:
    """The columns of a row, taken from left to right, in the order in which they were selected."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = iter(values)

    def __iter__(self) -> Iterator[Any]:
        return self._values

    def take(self, model: type[Any], names: Sequence[str] | None = None) -> Any:
        """The row of `model` that `columns_of` selected; None where there is none. Values as the driver gives them."""
        fields = _fields(model, names)
        values = [next(self._values) for _ in fields]
        return None if values[0] is None else model.from_db("default", [each.attname for each in fields], values)
