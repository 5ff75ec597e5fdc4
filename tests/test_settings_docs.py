"""Every environment variable of lmvp/settings.py is in .env.example and docs/settings.md, and nothing else is."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
READ = re.compile(r'\b(?:env\.\w+|os\.environ\.get)\(\s*"([A-Z][A-Z0-9_]*)"')
READ_BY_BOTO3 = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
# What the compose file decides itself, or what has no place in a container.
NOT_PASSED_ON = {"HOST", "LMVP_DATA_DIR", "TEST_DATABASE", "DEBUG"}


@pytest.fixture(scope="module")
def names():
    found = set(READ.findall((ROOT / "lmvp/settings.py").read_text()))
    assert {"PORT", "DATABASE_URL", "DB_PASSWORD", "EMAIL_URL"} <= found
    return found | READ_BY_BOTO3


def _examples():
    return re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def _rows():
    text = (ROOT / "docs/settings.md").read_text()
    return re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \| (?:–|`(.*?)`) \| .+ \|$", text, re.MULTILINE)


def test_env_example_lists_every_setting(names):
    assert {name for name, _ in _examples()} == names


def test_the_manual_lists_every_setting(names):
    assert {name for name, _ in _rows()} == names


def test_example_and_manual_give_the_same_defaults():
    assert _rows() == _examples()


def test_every_example_has_its_explanation_above():
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = pairwise(lines)
    assert [name for above, name in pairs if re.match("#[A-Z]", name) and not above.startswith("# ")] == []


def test_compose_passes_every_setting_on(names):
    web = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["web"]
    assert {entry.split("=")[0] for entry in web["environment"]} == names - NOT_PASSED_ON
