"""Rows of models out of a statement of our own, where composing it by the ORM would cost more than the rest."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from json import JSONDecoder
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import DateTimeField, DecimalField, Model
from django.db.models.base import ModelState

Names = tuple[str, ...] | None  # of columns; None: all
Converter = tuple[str, Callable[[Any], Any]]  # an attribute, and what makes the model's value of the one that came

# Made once. Amounts stay exact.
parse_array: Callable[[str], list[Any]] = JSONDecoder(parse_float=Decimal).decode


@cache
def _fields(model: type[Model], names: Names) -> list[Any]:
    fields = {each.column: each for each in model._meta.concrete_fields}
    return [fields[name] for name in (fields if names is None else names)]


@cache
def _attributes(model: type[Model], names: Names) -> list[str]:
    return [each.attname for each in _fields(model, names)]


@cache
def _converters(model: type[Model], names: Names) -> list[Converter]:
    """Of each column whose value the driver does not give as the model has it."""
    return [
        (each.attname, partial(convert, expression=each.cached_col, connection=connection))
        for each in _fields(model, names)
        for convert in each.get_db_converters(connection)
    ]


@cache
def _json_converters(model: type[Model], names: Names) -> list[Converter]:
    """Of each column whose value JSON has no form for."""
    known = ((DateTimeField, datetime.fromisoformat), (DecimalField, Decimal))
    return [
        (each.attname, convert) for each in _fields(model, names) for kind, convert in known if isinstance(each, kind)
    ]


def columns_of(row: str, model: type[Model], names: Names = None) -> str:
    """The columns of `model` for a SELECT, or just those in `names`; `row` is a table's alias or a composite value."""
    return ", ".join(f'({row})."{each.column}"' for each in _fields(model, names))


class Row:
    """The columns of a row, taken from left to right, in the order in which they were selected, `using` a database."""

    def __init__(self, values: Sequence[Any], using: str = DEFAULT_DB_ALIAS, *, is_json: bool = False) -> None:
        """`is_json`: the values are the elements of an array that the database made and `parse_array` read."""
        self._values = values
        self._using = using
        self._converters = _json_converters if is_json else _converters
        self._taken = 0

    def __iter__(self) -> Iterator[Any]:
        """Those not taken yet."""
        return iter(self._values[self._taken :])

    def take(self, model: type[Model], names: Names = None, **related: Model | None) -> Any:
        """The row of `model` that `columns_of` selected, with the rows it refers to where they are given; None where
        there is none.
        """
        attributes = _attributes(model, names)
        first, self._taken = self._taken, self._taken + len(attributes)
        if self._values[first] is None:
            return None
        values = dict(zip(attributes, self._values[first : self._taken], strict=True))
        for name, convert in self._converters(model, names):
            if values[name] is not None:
                values[name] = convert(values[name])
        return _made(model, values, self._using, related)


@cache
def _defaults(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """By attribute: those that all rows can share, and those to be made for each."""
    fields = model._meta.concrete_fields
    made_for_each = [(each.attname, each.default) for each in fields if each.has_default() and callable(each.default)]
    names = [name for name, _ in made_for_each]
    return {each.attname: each.get_default() for each in fields if each.attname not in names}, made_for_each


def unsaved(model: type[Model], **values: Any) -> Any:
    """What `model(**values)` makes, which calls signals and a setter for each field.

    Raises `TypeError` for a name that no field has.
    """
    shared, made_for_each = _defaults(model)
    related = {name: value for name, value in values.items() if isinstance(value, Model)}
    attributes = shared | {name: make() for name, make in made_for_each} | values
    for name in related:
        attributes[f"{name}_id"] = attributes.pop(name).pk
    if len(attributes) != len(shared) + len(made_for_each):
        raise TypeError(f"{model.__name__} has not all of the fields {', '.join(values)}.")
    made = _made(model, attributes, None, related)
    made._state.adding = True
    return made


def _made(model: type[Model], values: dict[str, Any], using: str | None, related: dict[str, Any]) -> Any:
    """What `Model.from_db` makes, which calls signals and a setter for each field: half the time of a small call."""
    made = model.__new__(model)
    state = ModelState()
    state.db, state.adding = using, False
    state.fields_cache = related
    values["_state"] = state
    for name, other in related.items():
        if other is not None:
            values.setdefault(f"{name}_id", other.pk)
    made.__dict__ = values
    return made
