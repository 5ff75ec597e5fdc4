"""How an answer's JSON becomes a dataclass: each field is looked up by name and checked against its type.

What a newer server says besides is left alone. What is missing or of another kind is a KeyError, TypeError or ValueError.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Union, get_args, get_origin, get_type_hints

from lmvp.client.tables import moment

if TYPE_CHECKING:
    from typing_extensions import Self

NUMBERS = (int, float)


@dataclass(frozen=True)
class Result:
    """Something that the server tells of. KEYS has the names of fields that are called otherwise in the JSON."""

    KEYS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Read the server's JSON; KeyError, TypeError or ValueError where it is something else."""
        if not isinstance(answer, Mapping):
            raise TypeError(f"{cls.__name__} is an object, not {answer!r:.60}")
        known = {}
        for name, key, kind, needed in _plan(cls):  # type: ignore[arg-type]  # mypy: a class has a hash
            if needed or key in answer:
                known[name] = read(kind, answer[key])
        return cls(**known)


@cache
def _plan(cls: type[Result]) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return for each field its name, its name in the JSON, its type, and whether it has to be there."""
    kinds = get_type_hints(cls)
    return tuple(
        (one.name, cls.KEYS.get(one.name, one.name), kinds[one.name], one.default is MISSING)
        for one in fields(cls)
        if one.init
    )


def read(kind: Any, value: Any) -> Any:
    """Return a value of JSON as the type says; TypeError or ValueError where it is another one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value)
    if origin is tuple:
        return tuple(read(arguments[0], one) for one in _checked(list, value))
    if isinstance(origin, type) and issubclass(dict, origin):
        return {_checked(str, key): read(arguments[1], one) for key, one in _checked(dict, value).items()}
    if kind is datetime:
        return moment(_checked(str, value))
    if isinstance(kind, type) and issubclass(kind, Result):
        return kind.from_json(value)
    return _checked(kind, value)


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    left = [kind for kind in kinds if kind is not type(None)]
    for kind in left[:-1]:
        try:
            return read(kind, value)
        except (TypeError, ValueError):
            continue
    return read(left[-1], value)


def _checked(kind: Any, value: Any) -> Any:
    """Return a plain value; a whole number passes for a float, a truth value for no number."""
    if kind is float and isinstance(value, NUMBERS) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r:.60} is no {kind.__name__}")
    return value
