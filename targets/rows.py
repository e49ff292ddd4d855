"""Rows of models out of a statement of our own, where composing it by the ORM would cost more than the rest."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from json import JSONDecoder
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import DateTimeField, DecimalField, Model
from django.db.models.base import ModelState

Names = tuple[str, ...] | None  # of columns; None: all
Converter = tuple[str, Callable[[Any], Any]]  # an attribute, and what makes the model's value of the one that came

# Made once. Amounts stay exact.
parse_array: Callable[[str], list[Any]] = JSONDecoder(parse_float=Decimal).decode


class Columns(NamedTuple):
    """Those of a model that a statement selects, by their attributes. What comes is not always what the model has: by
    attribute the converters of what the driver gives, and of what JSON does.
    """

    fields: list[Any]
    attributes: list[str]
    converters: list[Converter]
    json_converters: list[Converter]


@cache
def _columns(model: type[Model], names: Names) -> Columns:
    known = {each.column: each for each in model._meta.concrete_fields}
    fields = [known[name] for name in (known if names is None else names)]
    converters: list[Converter] = [
        (each.attname, partial(convert, expression=each.cached_col, connection=connection))
        for each in fields
        for convert in each.get_db_converters(connection)
    ]
    without_form = ((DateTimeField, datetime.fromisoformat), (DecimalField, Decimal))
    json_converters = [
        (each.attname, convert) for each in fields for kind, convert in without_form if isinstance(each, kind)
    ]
    return Columns(fields, [each.attname for each in fields], converters, json_converters)


def columns_of(row: str, model: type[Model], names: Names = None) -> str:
    """The columns of `model` for a SELECT, or just those in `names`; `row` is a table's alias or a composite value."""
    return ", ".join(f'({row})."{each.column}"' for each in _columns(model, names).fields)


class Row:
    """The columns of a row, taken from left to right, in the order in which they were selected, `using` a database."""

    def __init__(self, values: Sequence[Any], using: str = DEFAULT_DB_ALIAS, *, is_json: bool = False) -> None:
        """`is_json`: the values are the elements of an array that the database made and `parse_array` read. Instants
        and amounts become what the model has; columns of other types that JSON has no form for are not to be taken.
        """
        self._values = values
        self._using = using
        self._is_json = is_json
        self._taken = 0

    def __iter__(self) -> Iterator[Any]:
        """Those not taken yet."""
        return iter(self._values[self._taken :])

    def take(self, model: type[Model], names: Names = None, **related: Model | None) -> Any:
        """The row of `model` that `columns_of` selected, with the rows it refers to where they are given; None where
        there is none.
        """
        _, attributes, converters, json_converters = _columns(model, names)
        first, self._taken = self._taken, self._taken + len(attributes)
        if self._values[first] is None:
            return None
        values = dict(zip(attributes, self._values[first : self._taken], strict=True))
        for name, convert in json_converters if self._is_json else converters:
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
    values["_state"] = state = ModelState()
    state.db, state.adding, state.fields_cache = using, False, related
    for name, other in related.items():
        if other is not None:
            values.setdefault(f"{name}_id", other.pk)
    made.__dict__ = values
    return made


def copy_of(row: Model, **related: Model) -> Any:
    """The same row, in an object of its own, with the rows it refers to."""
    values = row.__dict__.copy()
    return _made(type(row), values, row._state.db, related)
