"""Plans that PostgreSQL keeps: statements that come again and again are prepared in a session, and executed by name there.

Planning takes longer than most of them run. PostgreSQL itself sees to it that a kept plan is not much worse than one made
for the values at hand (https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES). Knows no table.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.utils import NotSupportedError
from psycopg2 import extensions

WORTH = 3  # times that a process executes a statement before it is prepared
MOST = 300  # of one session: each holds some kilobytes there
LONGEST = 60.0  # seconds that a session, and so its plans, are used

Key = tuple[str, ...]  # a statement, and those of its parameters that never change

_executed: Counter[Key] = Counter()


class Session(extensions.connection):
    """A connection of psycopg2 that knows which statements it has prepared. `keeps_plans`: it may."""

    keeps_plans = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.texts: dict[Key, str] = {}  # what is sent instead of a statement
        self.made = 0
        self._begun = time.monotonic()

    @property
    def is_old(self) -> bool:
        """Whether tables may have grown so much since its plans were made that others would be better."""
        return self.keeps_plans and time.monotonic() - self._begun > LONGEST


def execute_by_name(cursor: Any, sql: str, params: Sequence[Any], said: Sequence[Any]) -> bool:
    """Execute a statement whose parameters are `params`, with the values of `said` where those are `...`.

    False, and nothing is done, where it has no name yet, or cannot have one here.
    """
    session = cursor.connection
    if not session.keeps_plans:
        return False
    key = (sql, *map(repr, params))  # what does not change is a part of the plan
    text = session.texts.get(key)
    if text is None:
        if not _is_worth_it(session, key):
            return False
        text = session.texts[key] = _prepare(cursor, session, sql, params)
    try:
        cursor.execute(text, said)
    except NotSupportedError:  # a migration gave a column another type: the next time it is prepared anew
        session.texts.pop(key, None)
        raise
    return True


def _is_worth_it(session: Session, key: Key) -> bool:
    # Without its values, a plan for the first few rows takes it that some are found at once, and reads a table from its
    # beginning where there are none.
    if " LIMIT " in key[0]:
        return False
    _executed[key] += 1
    return _executed[key] >= WORTH and session.made < MOST


def _prepare(cursor: Any, session: Session, sql: str, params: Sequence[Any]) -> str:
    """Prepare a statement; return what executes it. That says in a comment what it is, for logs and for the database's own views."""
    session.made += 1
    name = f"lmvp_{session.made}"
    places = (f"${number}" for number in range(1, len(params) + 1))
    # What never changes stands there as it is: only so a partial index can serve the plan.
    written = [extensions.AsIs(next(places)) if param is ... else param for param in params]
    statement = cursor.cursor.mogrify(sql, written).decode()
    cursor.execute(f"PREPARE {name} AS {statement.replace('%', '%%')}", [])
    values = ", ".join(["%s"] * sum(param is ... for param in params))
    comment = statement.replace("%", "%%").replace("*/", "* /").replace("/*", "/ *")  # comments may hold comments
    return f"/* {comment} */ EXECUTE {name}" + (f" ({values})" if values else "")
