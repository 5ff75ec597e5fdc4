"""The manual's examples of objects and runs do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import lmvp
from lmvp.client.formats import registry

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "client.md").read_text("utf-8")


def examples(section: str) -> list[str]:
    [text] = re.findall(rf"^## {section}\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_examples_of_objects_and_runs_run(alice, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "_FORMATS", list(registry._FORMATS))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    np.savez(tmp_path / "weights" / "weights.npz", w=np.arange(3))
    verbs = {name: getattr(alice, name) for name in lmvp.__all__ if hasattr(alice, name)}
    given = {"lmvp": SimpleNamespace(**verbs, Format=lmvp.Format, register_format=lmvp.register_format)}
    for example in examples("Objects") + examples("Runs"):
        exec(compile(example, "docs/client.md", "exec"), given)
    assert given["local"].load()["w"].shape == (64, 10)
    assert alice.download("vision/labels").load() == {"seven", "three"}
    version = alice.version("vision/digits", "staging")
    assert (version.metrics, version.metadata["lr"]) == ({"loss": 1 / 3, "accuracy": 0.92}, 0.2)
    assert capsys.readouterr().out == f"{version}\n"


def test_every_format_stands_in_the_manual():
    [text] = re.findall(r"^## Objects\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    assert [one.file for one in registry._FORMATS if one.save and f"`{one.file}`" not in text] == []
    assert [suffix for suffix in registry.suffixes() if suffix not in PAGE] == []
