"""Pure: a graph of what came before what, laid out for a picture: in layers from left to right, without overlap.

The way of Sugiyama, Tagawa and Toda (1981): layers by the longest path, order in a layer by barycentres, then places.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

Key = Hashable
Edge = tuple[Key, Key]  # what was there first, and what came of it
Point = tuple[float, float]

SWEEPS = 4
MOST_BENDS = 2_000  # beyond, the longest lines go straight


@dataclass(frozen=True, slots=True)
class Measures:
    """How large a box is, and how far boxes are apart."""

    width: float = 216
    height: float = 48
    across: float = 64
    down: float = 14


@dataclass(frozen=True, slots=True)
class Layout:
    """The upper left corner of each box; the points of each edge that goes forward, two for each gap that it crosses."""

    places: Mapping[Key, Point]
    lines: Mapping[Edge, Sequence[Point]]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Bend:
    """Where a long edge passes a layer that it does not end in."""

    edge: Edge
    layer: int


@dataclass(slots=True)
class _Links:
    """Who stands before and after whom, one layer away."""

    before: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))
    after: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))

    def add(self, start: Key, end: Key) -> None:
        self.after[start].append(end)
        self.before[end].append(start)


def lay_out(nodes: Iterable[Key], edges: Iterable[Edge], measures: Measures | None = None) -> Layout:
    """Place nodes so that every edge leads to the right. An edge that would close a circle is left out."""
    measures = measures or Measures()
    layer, forward = layers_of(list(dict.fromkeys(nodes)), list(dict.fromkeys(edges)))
    links, bends = _links(layer, forward)
    rows = _ordered(_rows(layer, bends), links)
    heights = _heights(rows, links, measures)
    step = measures.width + measures.across
    middle = {key: (n * step, heights[key]) for n, row in enumerate(rows) for key in row}
    places = {key: (x, y - measures.height / 2) for key, (x, y) in middle.items() if key in layer}
    lines = {edge: _line(edge, layer, middle, measures) for edge in forward}
    bottom = max([*heights.values(), *(y + measures.height for _, y in places.values())], default=0)
    return Layout(places, lines, max(len(rows) * step - measures.across, 0), bottom)


def layers_of(nodes: Sequence[Key], edges: Sequence[Edge]) -> tuple[dict[Key, int], list[Edge]]:
    """Return the layer of each node, from 0, and the edges that lead from a layer to a later one."""
    known = set(nodes)
    edges = [(start, end) for start, end in edges if start in known and end in known and start != end]
    links = _Links()
    for start, end in edges:
        links.add(start, end)
    order = _by_time(nodes, links)
    turn = {key: n for n, key in enumerate(order)}
    layer: dict[Key, int] = {}
    for key in order:
        layer[key] = max((layer[one] + 1 for one in links.before[key] if turn[one] < turn[key]), default=0)
    for key in reversed(order):  # close to what came of it, where that makes more lines shorter than longer
        following = [layer[one] for one in links.after[key] if turn[one] > turn[key]]
        if following and len(following) > len(links.before[key]):
            layer[key] = min(following) - 1
    first = min(layer.values(), default=0)
    forward = [(start, end) for start, end in edges if layer[start] < layer[end]]
    return {key: n - first for key, n in layer.items()}, forward


def _by_time(nodes: Sequence[Key], links: _Links) -> list[Key]:
    """Return the nodes so that each stands behind all that lead to it; in a circle, the first one begins."""
    waiting = {key: len(links.before[key]) for key in nodes}
    ready, order, rest = [key for key in nodes if not waiting[key]], list[Key](), iter(nodes)
    done = set(ready)
    while len(order) < len(nodes):
        if not ready:
            ready = [next(key for key in rest if key not in done)]
            done.update(ready)
        key = ready.pop()
        order.append(key)
        for following in links.after[key]:
            waiting[following] -= 1
            if not waiting[following] and following not in done:
                done.add(following)
                ready.append(following)
    return order


def _links(layer: Mapping[Key, int], edges: Sequence[Edge]) -> tuple[_Links, list[_Bend]]:
    """Return the same edges from layer to layer: a long one by a bend in each layer between, while there is room."""
    links, bends = _Links(), list[_Bend]()
    for start, end in sorted(edges, key=lambda edge: layer[edge[1]] - layer[edge[0]]):
        between = [_Bend((start, end), n) for n in range(layer[start] + 1, layer[end])]
        if len(bends) + len(between) > MOST_BENDS:
            continue
        bends += between
        way: list[Key] = [start, *between, end]
        for one, other in pairwise(way):
            links.add(one, other)
    return links, bends


def _rows(layer: Mapping[Key, int], bends: Iterable[_Bend]) -> list[list[Key]]:
    rows: list[list[Key]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for key, n in layer.items():
        rows[n].append(key)
    for bend in bends:
        rows[bend.layer].append(bend)
    return rows


# --- Order in a layer: as few crossings as some sweeps bring


def _ordered(rows: list[list[Key]], links: _Links) -> list[list[Key]]:
    best, fewest = rows, _crossings(rows, links)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        rows = _swept(rows, links.after if sweep % 2 else links.before, backwards=bool(sweep % 2))
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: list[list[Key]], beside: Mapping[Key, list[Key]], *, backwards: bool) -> list[list[Key]]:
    """Return the layers with each one in the order of the middles of its neighbours in the layer passed before."""
    swept, at = list[list[Key]](), dict[Key, float]()
    for row in reversed(rows) if backwards else rows:
        own = {key: float(n) for n, key in enumerate(row)}
        middles = {key: fmean(at[one] for one in beside[key]) if beside[key] else own[key] for key in row}
        swept.append(sorted(row, key=middles.__getitem__))
        at |= {key: float(n) for n, key in enumerate(swept[-1])}
    return swept[::-1] if backwards else swept


def _crossings(rows: Sequence[Sequence[Key]], links: _Links) -> int:
    crossings = 0
    at = {key: n for row in rows for n, key in enumerate(row)}
    for row in rows:
        ends: list[int] = []
        for key in row:
            mine = sorted(at[one] for one in links.after[key])
            crossings += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return crossings


# --- Places: each as near to the middle of its neighbours as the others in its layer leave room for


def _heights(rows: Sequence[Sequence[Key]], links: _Links, measures: Measures) -> dict[Key, float]:
    heights: dict[Key, float] = {}
    for row in rows:
        heights |= _spread(row, dict.fromkeys(row, 0.0), measures)
    for sweep in range(SWEEPS):
        beside = links.after if sweep % 2 else links.before
        for row in reversed(rows) if sweep % 2 else rows:
            wanted = {key: fmean(heights[one] for one in beside[key]) if beside[key] else heights[key] for key in row}
            heights |= _spread(row, wanted, measures)
    top = min((heights[key] - _half(key, measures) for key in heights), default=0)
    return {key: height - top for key, height in heights.items()}


def _spread(row: Sequence[Key], wanted: Mapping[Key, float], measures: Measures) -> dict[Key, float]:
    """Return the heights nearest to those wanted, by least squares, that keep the order and the distances.

    Isotonic regression by pooling adjacent violators: what is too near becomes a block that stands at its mean.
    """
    offsets, blocks = list[float](), list[tuple[float, int]]()  # a block: mean and members
    for n, key in enumerate(row):
        apart = _half(row[n - 1], measures) + _half(key, measures) + measures.down if n else 0.0
        offsets.append(offsets[-1] + apart if n else 0.0)
        mean, count = wanted[key] - offsets[-1], 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return {key: mean + offset for key, mean, offset in zip(row, means, offsets, strict=True)}


def _half(key: Key, measures: Measures) -> float:
    return 0.0 if isinstance(key, _Bend) else measures.height / 2


def _line(edge: Edge, layer: Mapping[Key, int], middle: Mapping[Key, Point], measures: Measures) -> list[Point]:
    (start, end), width = edge, measures.width
    x, y = middle[start]
    points = [(x + width, y)]
    for n in range(layer[start] + 1, layer[end]):
        if bend := middle.get(_Bend(edge, n)):
            points += [bend, (bend[0] + width, bend[1])]
    return [*points, middle[end]]
