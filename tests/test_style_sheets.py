"""Every class means one thing: a part that pages share stands in lmvp.css, and two topics' style sheets never name a part alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SHEETS = sorted((Path(__file__).resolve().parent.parent / "registry" / "static" / "registry").glob("*.css"))
NAME = re.compile(r"\.([a-zA-Z][\w-]*)")


def parts(sheet: str) -> Iterator[str]:
    """Yield the class that each selector begins with: what it is about. What stands behind it is a part of that."""
    for selectors in re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)):
        for selector in [] if selectors.strip().startswith("@") else re.split(r",(?![^(]*\))", selectors):
            named = NAME.search(re.split(r"[\s>+~]", selector.strip())[0])
            if named:
                yield named[1]


def test_selectors_are_told_by_what_they_begin_with():
    sheet = (
        "/* .no { } */ .a .b, ul.c > .d:is(.e, .f) { x: y } @media (max-width: 1px) { .g.h { x: y } h1 .i { x: y } }"
    )
    assert list(parts(sheet)) == ["a", "c", "g"]


def test_a_class_stands_for_one_thing():
    homes = defaultdict(set)
    for path in SHEETS:
        for name in parts(path.read_text()):
            homes[name].add(path.name)
    shared = homes_of_shared(homes)
    assert {"box", "table", "icon", "snippet"} <= shared
    assert {name: sorted(files) for name, files in homes.items() if len(files) > 1 and name not in shared} == {}


def homes_of_shared(homes: dict[str, set[str]]) -> set[str]:
    return {name for name, files in homes.items() if "lmvp.css" in files}
