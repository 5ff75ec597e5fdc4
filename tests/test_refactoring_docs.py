"""docs/refactoring.md does what it says: its blocks run from top to bottom against a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lmvp
from registry.models import Event
from tests.cast import PASSWORD, Cast

PAGE = Path(__file__).parent.parent / "docs" / "refactoring.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def at_alices_desk(live_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, and nothing of the developer's own machine."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "home" / "cache"))
    client = lmvp.Client()
    for name in lmvp.__all__:  # the module's verbs, without what an earlier test's sign-in left in its one client
        if hasattr(client, name):
            monkeypatch.setattr(lmvp, name, getattr(client, name), raising=False)
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)


def test_page_runs_from_top_to_bottom(at_alices_desk: None, live_server, cast: Cast) -> None:
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    assert len(blocks) == 10
    first = blocks[0].replace("http://localhost:8000", live_server.url).replace('"secret"', repr(PASSWORD))
    assert first.count(live_server.url) == first.count(PASSWORD) == 1
    page: dict[str, object] = {}
    for number, block in enumerate([first, *blocks[1:]], 1):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), page)
    told = set(Event.objects.filter(project=cast.project, actor=cast.alice).values_list("action", flat=True))
    assert {"version.published", "version.downloaded", "metrics.logged", "alias.set", "alias.moved"} <= told
