"""Queries that are compiled once: what hot requests ask is said as a QuerySet, but not built and compiled anew each time,
which takes many times longer than to run it. Knows no table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from functools import partial, wraps
from operator import attrgetter, methodcaller
from types import SimpleNamespace
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.base import ModelState
from django.db.models.query import get_related_populators
from django.db.models.signals import post_init, pre_init
from django.db.models.sql import UpdateQuery

P = ParamSpec("P")
Row = TypeVar("Row")
Plan = TypeVar("Plan")


def prepared(build: Callable[P, models.QuerySet[Any, Row]]) -> Callable[P, list[Row]]:
    """Let a function that returns a queryset return its rows: instances with what is joined to them, or tuples.

    The function is called once, with a slot in place of each argument, and may only pass it on to filters. Two kinds of
    arguments come as they are, and make a query of their own for each: None, truth values and members of enumerations;
    and lists, by their length, as lists of slots. A list is not empty and has some hundred values at most.
    """
    plans = _Plans(lambda *slots: _Rows(build(*slots)))

    @wraps(build)
    def ask(*args: P.args, **kwargs: P.kwargs) -> list[Row]:
        plan, said = plans.of(args)
        return list(plan.read(said))

    return ask


def prepared_page(build: Callable[P, models.QuerySet[Any, Row]]) -> Callable[Concatenate[int, P], list[Row]]:
    """The same, of the first so many rows: how many is said before the other arguments."""
    plans = _Plans(lambda *slots: _Rows(build(*slots)))

    @wraps(build)
    def ask(most: int, *args: P.args, **kwargs: P.kwargs) -> list[Row]:
        plan, said = plans.of(args)
        return list(plan.read(said, f" LIMIT {int(most)}"))

    return ask


def prepared_update(build: Callable[P, tuple[models.QuerySet[Any], dict[str, Any]]]) -> Callable[P, int]:
    """Let a function that returns a queryset and the columns to change do that, and return how many rows there were."""
    plans = _Plans(lambda *slots: _Update(*build(*slots)))

    @wraps(build)
    def change(*args: P.args, **kwargs: P.kwargs) -> int:
        plan, said = plans.of(args)
        return plan.execute(said)

    return change


class Slot(models.Expression):
    """Where the value of an argument will stand; of a list, one of its values."""

    def __init__(self, place: int, index: int | None = None) -> None:
        super().__init__()
        self.place, self.index = place, index

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def value(self, said: Sequence[Any]) -> Any:
        return said[self.place] if self.index is None else said[self.place][self.index]


def _padded(values: list[Any]) -> list[Any]:
    """Repeat the last value up to a power of two: a filter finds the same, and there are few lengths to compile."""
    length = 1 << (len(values) - 1).bit_length()
    return values + values[-1:] * (length - len(values))


def _shape(value: object) -> object:
    if value is None or isinstance(value, (bool, Enum)):
        return value
    return len(value) if isinstance(value, list) else ...


def _slots(place: int, value: object) -> object:
    if isinstance(value, list):
        return [Slot(place, index) for index in range(len(value))]
    return Slot(place) if _shape(value) is ... else value


class _Plans(Generic[Plan]):
    """The plans of one function: by the database and the shape of what it was called with."""

    def __init__(self, make: Callable[..., Plan]) -> None:
        self.make = make
        self.known: dict[tuple[object, ...], Plan] = {}

    def of(self, args: tuple[Any, ...]) -> tuple[Plan, list[Any]]:
        """Return the plan for such arguments, and those as it takes them."""
        said = [_padded(value) if isinstance(value, list) else value for value in args]
        shape = (connections[DEFAULT_DB_ALIAS].vendor, *map(_shape, said))
        plan = self.known.get(shape)
        if plan is None:
            plan = self.known[shape] = self.make(*(_slots(place, value) for place, value in enumerate(said)))
        return plan, said


class _Statement:
    """A compiled statement, in which slots stand among the parameters."""

    def __init__(self, compiler: Any) -> None:
        self.sql, params = compiler.as_sql()
        self.slots = [param for param in params if isinstance(param, Slot)]
        self.params = [... if isinstance(param, Slot) else param for param in params]

    def run(self, said: Sequence[Any], read: Callable[[Any], Any], limit: str = "") -> Any:
        connection: Any = connections[DEFAULT_DB_ALIAS]
        values = [_adapted(slot.value(said), connection) for slot in self.slots]
        with connection.cursor() as cursor:
            by_name = getattr(connection, "execute_by_name", None)  # PostgreSQL keeps plans, and calls them by name
            if not (by_name and by_name(cursor, self.sql + limit, self.params, values)):
                given = iter(values)
                cursor.execute(self.sql + limit, [next(given) if param is ... else param for param in self.params])
            return read(cursor)


class _Update(_Statement):
    """What an UPDATE does."""

    def __init__(self, queryset: models.QuerySet[Any], columns: dict[str, Any]) -> None:
        query = queryset.query.chain(UpdateQuery)
        query.add_update_values(columns)
        super().__init__(query.get_compiler(DEFAULT_DB_ALIAS))

    def execute(self, said: Sequence[Any]) -> int:
        changed: int = self.run(said, attrgetter("rowcount"))
        return changed


class _Rows(_Statement):
    """What a SELECT finds, and how its rows are read."""

    def __init__(self, queryset: models.QuerySet[Any, Any]) -> None:
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        super().__init__(compiler)
        select, said = compiler.select, compiler.klass_info
        columns = [column for column, *_ in select[: compiler.col_count]]
        self.converters = list(compiler.get_converters(columns).items())
        self.model = queryset.model if queryset._fields is None else None  # None: tuples are asked for
        if self.model:
            fields = said["select_fields"]
            self.own = slice(fields[0], fields[-1] + 1)
            self.make = _maker(self.model, [column.target.attname for column in columns[self.own]])
            self.joined = get_related_populators(said, select, DEFAULT_DB_ALIAS)
            _speed_up(self.joined)
            self.annotations = list((compiler.annotation_col_map or {}).items())

    def read(self, said: Sequence[Any], limit: str = "") -> Iterator[Any]:
        connection = connections[DEFAULT_DB_ALIAS]
        for row in self.run(said, methodcaller("fetchall"), limit):
            converted = self._converted(row, connection) if self.converters else row
            yield self._instance(converted) if self.model else converted

    def _converted(self, row: tuple[Any, ...], connection: Any) -> tuple[Any, ...]:
        values = list(row)
        for place, (converters, column) in self.converters:
            if values[place] is not None:
                for convert in converters:
                    values[place] = convert(values[place], column, connection)
        return tuple(values)

    def _instance(self, row: tuple[Any, ...]) -> Any:
        instance = self.make(row[self.own])
        for populator in self.joined:
            populator.populate(row, instance)
        for name, place in self.annotations:
            setattr(instance, name, row[place])
        return instance


def _maker(model: type[models.Model], names: list[str]) -> Callable[[Sequence[Any]], models.Model]:
    """Return what makes instances of columns, as Model.from_db does, which spends most of its time on what rows do not need."""
    if _is_special(model):
        return partial(model.from_db, DEFAULT_DB_ALIAS, names)

    def make(values: Sequence[Any]) -> models.Model:
        instance = model.__new__(model)
        state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        instance.__dict__.update(zip(names, values, strict=True), _state=state)
        return instance

    return make


def _is_special(model: Any) -> bool:
    """Whether a model does more when a row becomes an instance: in methods of its own, or for a signal."""
    own = model.__init__ is not models.Model.__init__ or model.from_db.__func__ is not models.Model.from_db.__func__  # type: ignore[attr-defined]
    return own or pre_init.has_listeners(model) or post_init.has_listeners(model)


def _speed_up(populators: Sequence[Any]) -> None:
    """Let what is joined be made in the same way."""
    for populator in populators:
        make = _maker(populator.model_cls, populator.init_list)
        populator.model_cls = SimpleNamespace(from_db=lambda _, __, values, make=make: make(values))
        _speed_up(populator.related_populators)


def _adapted(value: Any, connection: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
