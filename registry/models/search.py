"""Finding projects, models, versions and files by words: the queries on the index that migration 0004 keeps.

A word can stand in every row. So nothing is counted or ranked over all matches: of each kind the newest thousand that the
caller may see are taken, in steps that stop when there are enough, and those are put in order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from registry.models.content import Occurrence
from registry.models.holders import live_holders
from registry.models.versions import HEX, RegisteredModel

MOST_RESULTS = 1000
MOST_SCOPES = 16  # so many projects are named to the index itself; beyond, each match is looked at
SHORTEST_BEGINNING = 2
BLOCK, LARGE_BLOCK = 10, 14  # bits: the newest ids are read 1,024 at a time, then 16,384
NO_LETTERS = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")  # as migration 0004 parts words
QUOTES = str.maketrans("“”„«»", '"""""')


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand one after the other. `open`: the last one may be the beginning of a word."""

    words: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for: all of the terms; `text` is what a thing is called that was meant by all of it."""

    text: str
    terms: tuple[Term, ...]

    @classmethod
    def read(cls, said: str) -> Query:
        """Return the query: words, "quoted phrases", the last word open. No text is a wrong one; it may have no terms."""
        parts = said.translate(QUOTES).split('"')
        terms = [term for n, part in enumerate(parts) for term in _terms([part] if n % 2 else part.split())]
        terms = [
            Term(term.words, open=bool(HEX.fullmatch(term.words[0]))) for term in terms
        ]  # perhaps a digest's digits
        if terms and len(parts) % 2 and parts[-1].strip():
            terms[-1] = Term(terms[-1].words, open=len(terms[-1].words[-1]) >= SHORTEST_BEGINNING)
        return cls(said.strip().lower(), tuple(terms))

    @property
    def digest(self) -> str:
        """The digest, or beginning of one, that was asked for; else empty."""
        return self.text if HEX.fullmatch(self.text) else ""

    def whole(self) -> Query:
        """The same where every word is whole."""
        return Query(self.text, tuple(Term(term.words) for term in self.terms))


def _terms(spoken: Iterable[str]) -> Iterator[Term]:
    for text in spoken:
        words = [word for word in NO_LETTERS.split(text.lower()) if any(letter.isalnum() for letter in word)]
        if words:
            yield Term(tuple(words))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: the projects that the caller may see, and one model of them, if only that is meant."""

    projects: Sequence[int]
    model: int | None = None

    @property
    def marks(self) -> list[str]:
        """The lexemes of which a match has one; none when that would be too many."""
        if self.model:
            return [f"m{self.model}"]
        return [f"p{project}" for project in self.projects] if len(self.projects) <= MOST_SCOPES else []


# Subqueries, since no planner makes another join of them: whatever the statistics say, each is one look at a primary key.
IN_MODEL = "(SELECT model.project_id FROM registry_registeredmodel model WHERE model.id = it.model_id AND model.trashed_at IS NULL)"
LIVE = (
    "(SELECT 1 FROM registry_version version WHERE version.id = {}"
    " AND version.trashed_at IS NULL AND version.purged_at IS NULL) = 1"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One search table, and the table `it` of what its rows stand for: what a match leads to (`id`, of a `type`), what that
    is called, the project that it is in, and when it is shown."""

    name: str
    type: str
    table: str
    label: str
    shown: str
    id: str = "it.id"
    project: str = IN_MODEL


@dataclass(frozen=True, slots=True)
class Hit:
    """A match: what it leads to, what that is called, and whether its words were found whole."""

    kind: str
    type: str
    id: int
    label: str
    whole: bool = True


# Whether a file's version is live, or another one that has it, is asked for those of a page alone (still_there).
FILE = Kind("file", "file", "registry_occurrence", "it.path", "TRUE")
KINDS = (
    Kind("project", "project", "registry_project", "it.name", "it.trashed_at IS NULL", project="it.id"),
    Kind(
        "model",
        "model",
        "registry_registeredmodel",
        "(SELECT project.name FROM registry_project project WHERE project.id = it.project_id) || '/' || it.name",
        "it.trashed_at IS NULL",
        project="it.project_id",
    ),
    Kind(
        "version",
        "version",
        "registry_version",
        "it.digest || ' ' || substr(it.message, 1, 200)",
        "it.trashed_at IS NULL AND it.purged_at IS NULL",
    ),
    Kind("ref", "version", "registry_ref", "it.name", LIVE.format("it.version_id"), id="it.version_id"),
    FILE,
)
TYPES = tuple(dict.fromkeys(kind.type for kind in KINDS))


def search(query: Query, scope: Scope, types: Collection[str] = TYPES) -> list[tuple[str, int]]:
    """Return (type, id) of the best matches, a thousand at most: first what is called just so, then each type in turn.

    Within a type: the words whole before their beginnings, in the name before elsewhere, the newer before the older.
    """
    kinds = [kind for kind in KINDS if kind.type in types]
    if not scope.projects or not query.terms:
        return []
    hits = _matches(kinds, query.whole(), scope, whole=True)
    if query != query.whole():
        found = Counter(hit.kind for hit in hits)
        hits += _matches([kind for kind in kinds if found[kind.name] < MOST_RESULTS], query, scope, whole=False)
    if query.digest and "file" in types:
        hits += _files_of(query.digest, scope)
    return _in_order(query, hits)


def still_there(files: Iterable[Occurrence]) -> dict[int, int]:
    """Return for each file that was found (its key) the number of the version to show it in: the one that brought it, or
    where that is in the trash, the oldest that is not and has it. One that no such version has is left out."""
    numbers, lost = dict[int, int](), dict[RegisteredModel, list[Occurrence]]()
    for file in files:
        if file.first_version.trashed_at:
            lost.setdefault(file.model, []).append(file)
        else:
            numbers[file.pk] = file.first_version.number
    for model, some in lost.items():
        places = {(file.path, file.digest): file for file in some}
        held = live_holders(model, {place: file.first_version.number for place, file in places.items()})
        numbers |= {places[place].pk: number for place, number in held.items()}
    return numbers


def _in_order(query: Query, hits: Iterable[Hit]) -> list[tuple[str, int]]:
    words = [word for term in query.terms for word in term.words]
    ranks: dict[str, dict[int, tuple[bool, bool, bool]]] = {type_: {} for type_ in TYPES}
    for hit in hits:
        exact, near = _called(query, words, hit)
        rank, ranked = (not exact, not hit.whole, not near), ranks[hit.type]
        ranked[hit.id] = min(rank, ranked.get(hit.id, rank))
    in_turn: list[tuple[bool, int, int, tuple[str, int]]] = []
    for place, (type_, ranked) in enumerate(ranks.items()):
        best = sorted((rank, -pk) for pk, rank in ranked.items())
        in_turn += [(rank[0], turn, place, (type_, -pk)) for turn, (rank, pk) in enumerate(best)]
    return [found for *_, found in sorted(in_turn)[:MOST_RESULTS]]


def _called(query: Query, words: Sequence[str], hit: Hit) -> tuple[bool, bool]:
    """Whether the thing is called what was asked for, and whether what it is called has all the words."""
    label = hit.label.lower()
    if hit.kind in ("version", "digest"):
        return bool(query.digest) and label.startswith(query.digest), all(word in label for word in words)
    name = label.rpartition("/")[2]
    return query.text in (label, name), all(word in name for word in words)


# --- The queries: one for all kinds


def _matches(kinds: Sequence[Kind], query: Query, scope: Scope, *, whole: bool) -> list[Hit]:
    if not kinds:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            parts = [_sqlite(kind, query, scope) for kind in kinds]
        else:
            tops = ", ".join(f"(SELECT max(id) FROM registry_search_{kind.name})" for kind in kinds)
            # Compiling these queries would take longer than running them; no other of ours gains by it either.
            cursor.execute(f"SELECT set_config('jit', 'off', false), {tops}")
            _, *newest = cursor.fetchone()
            parts = [_postgresql(kind, query, scope, top or 0) for kind, top in zip(kinds, newest, strict=True)]
        cursor.execute(" UNION ALL ".join(sql for sql, _ in parts), [value for _, values in parts for value in values])
        return [Hit(kind, leads, pk, label, whole) for kind, leads, pk, label in cursor.fetchall()]


def _sqlite(kind: Kind, query: Query, scope: Scope) -> tuple[str, list[Any]]:
    """FTS5 reads its lists from the newest entry on, and stops at the limit."""
    table = f"registry_search_{kind.name}"
    return (
        f"SELECT * FROM (SELECT '{kind.name}', '{kind.type}', {kind.id}, {kind.label}"
        f" FROM {table} found CROSS JOIN {kind.table} it ON it.id = found.rowid"
        f" WHERE found.{table} MATCH %s AND {kind.shown} AND {_seen(kind)}"
        f" ORDER BY found.rowid DESC LIMIT {MOST_RESULTS})",
        [_fts5(query, scope), _projects(scope)],
    )


def _fts5(query: Query, scope: Scope) -> str:
    """Words hold no quotes and no operators: within quotes, each is taken for what it says."""
    terms = " AND ".join(f'"{" ".join(term.words)}"{" *" if term.open else ""}' for term in query.terms)
    marks = " OR ".join(f'"{mark}"' for mark in scope.marks)
    return f"words : ({terms})" + (f" AND scope : ({marks})" if marks else "")


def _postgresql(kind: Kind, query: Query, scope: Scope, newest: int) -> tuple[str, list[Any]]:
    """The GIN index is asked for one block of ids after the other, the newest first, until there are enough.

    Asked at once it would bring all matches of a frequent word, to be sorted; and whether the planner does that, or looks
    for a rare one in every row, would hang on the age of its statistics. “+ 0” and OFFSET 0 keep it to this way: every
    block by the GIN index, each match by the primary keys.
    """
    return (
        f"(SELECT '{kind.name}', '{kind.type}', shown.* FROM unnest(%s::text[]) block(mark),"
        f" LATERAL (SELECT id FROM registry_search_{kind.name} WHERE words @@ (to_tsquery('pg_catalog.simple', %s)"
        " && %s::tsquery && block.mark::tsquery) ORDER BY id + 0 DESC) found,"
        f" LATERAL (SELECT {kind.id}, {kind.label} FROM {kind.table} it"
        f" WHERE it.id = found.id AND {kind.shown} AND {_seen(kind)} OFFSET 0) shown LIMIT {MOST_RESULTS})",
        [_blocks(newest, query), _tsquery(query), " | ".join(f"'/{mark}'" for mark in scope.marks), _projects(scope)],
    )


def _tsquery(query: Query) -> str:
    """Words hold no quotes and no backslashes: within quotes, each is taken for what it says."""
    terms = (" <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.open else "") for term in query.terms)
    return " & ".join(f"({term})" for term in terms)


def _blocks(newest: int, query: Query) -> list[str]:
    """Return which blocks of ids to ask for, one after the other; together they are all ids, and no two have one in common.

    Words: the small ones in the newest large one, then the other large ones. The beginning of a word costs as much as it
    has matches each time, so then there are four steps: two small ones, what else two large ones have, and the rest.
    """
    small, large = newest >> BLOCK, newest >> LARGE_BLOCK
    if query != query.whole():
        older = f"!'/c{small}' & !'/c{small - 1}' & ('/C{large}' | '/C{large - 1}')"
        return [f"'/c{small}'", f"'/c{small - 1}'", older, f"!'/C{large}' & !'/C{large - 1}'"]
    first = large << LARGE_BLOCK - BLOCK
    return [f"'/c{n}'" for n in range(small, first - 1, -1)] + [f"'/C{n}'" for n in range(large - 1, -1, -1)]


def _files_of(digest: str, scope: Scope) -> list[Hit]:
    """The files whose bytes have this digest, or one that begins so: by the occurrences' own index."""
    sql = (
        "SELECT it.id, it.digest FROM registry_occurrence it WHERE it.digest >= %s AND it.digest < %s"
        " AND (SELECT 1 FROM registry_blob blob WHERE blob.sha256 = it.digest) = 1"  # else it is a directory
        f" AND {FILE.shown} AND {_seen(FILE)}"
        f"{' AND it.model_id + 0 = %s' if scope.model else ''} LIMIT {MOST_RESULTS}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [digest, f"{digest}g", _projects(scope), *([scope.model] if scope.model else [])])
        return [Hit("digest", FILE.type, *row) for row in cursor.fetchall()]


def _seen(kind: Kind) -> str:
    """The condition that the caller sees the project; its parameter is `_projects`. “+ 0”: not by the projects' index."""
    if connection.vendor == "sqlite":
        return f"{kind.project} + 0 IN (SELECT value FROM json_each(%s))"
    return f"{kind.project} + 0 = ANY(%s)"


def _projects(scope: Scope) -> Any:
    """The projects as one parameter, however many there are."""
    return json.dumps(list(scope.projects)) if connection.vendor == "sqlite" else list(scope.projects)
