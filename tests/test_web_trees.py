"""The tree browser: what stands in a directory of a version, by pages, and who brought it."""

from __future__ import annotations

import re

import pytest

from registry.services import trash
from tests.cast import Cast, publish
from tests.reading import browser_of, text_of
from tests.test_web_model import EVIL

pytestmark = pytest.mark.django_db
TREE = "/vision/classifier/versions/main/tree/"


@pytest.fixture
def there(cast: Cast) -> Cast:
    model = cast.model()
    files = {
        "README.md": b"# Root",
        "z/b/c.txt": b"1",
        "z/README.md": b"# Below\n\n[up](../README.md) [c](b/c.txt)",
        "a.txt": b"2",
    }
    publish(cast.alice, model, files, message="first")
    publish(cast.bob, model, {"z/b/d.txt": b"3"}, message="second")
    return cast


def get(user, path: str = "", status: int = 200):
    response = browser_of(user).get(TREE + path)
    assert response.status_code == status
    return response


def names(response) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>.*?<span>([^<]*)', response.content.decode())


def test_directories_stand_before_files(there) -> None:
    assert names(get(there.dave)) == ["z", "README.md", "a.txt"]


def test_a_directory_below_with_its_way_back_and_its_readme(there) -> None:
    response = get(there.dave, "z/")
    page = response.content.decode()
    assert names(response) == ["b", "README.md"]
    assert "b (directory) v2 second" in text_of(response)
    assert f'<a href="{TREE}">classifier</a>' in page
    assert '<h2 id="text-below">Below</h2>' in page
    assert 'href="/vision/classifier/versions/main/files/README.md"' in page
    assert 'href="/vision/classifier/versions/main/files/z/b/c.txt"' in page
    assert "/v1/projects/vision/models/classifier/versions/main/tree/z?format=json" in page
    assert "2 entries here, 3 files" in text_of(response)


def test_the_chooser_stays_at_the_path(there) -> None:
    page = get(there.dave, "z/b").content.decode()
    assert f'<a href="{TREE}z/b" aria-current="true">' in page


def test_a_file_is_shown_on_its_own_page(there) -> None:
    response = get(there.dave, "z/b/c.txt", 302)
    assert response.url == "/vision/classifier/versions/main/files/z/b/c.txt"


@pytest.mark.parametrize(
    "path", ["nope", "z/nope/x", "a.txt/x", "Z", "z//b", "..", "z/../a.txt", "x" * 10_000, "a/" * 3000, "%5c", "%ff"]
)
def test_a_path_that_is_not_there_says_where_to_go(there, path: str) -> None:
    response = get(there.dave, path, 404)
    assert "All files of v2" in text_of(response)
    assert ("To z/" in text_of(response)) == path.startswith("z/")


def test_a_path_of_another_version_leads_there(there) -> None:
    response = browser_of(there.dave).get("/vision/classifier/versions/1/tree/z/b/d.txt")
    assert response.status_code == 404
    assert 'href="/vision/classifier/versions/2/tree/z/b/d.txt"' in response.content.decode()


def test_hostile_paths_are_words(there) -> None:
    response = get(there.dave, "%3Cscript%3Ealert(1)%3C/script%3E?from=%3Cscript%3E", 404)
    assert EVIL not in response.content.decode()
    assert get(there.dave, "z/%00", 404)


def test_an_entry_whose_bringer_is_in_the_trash_names_the_next(there) -> None:
    model = there.project.models.get()
    publish(there.alice, model, {"n.txt": b"4"}, message="third")
    publish(there.alice, model, {"m.txt": b"5"}, message="fourth")
    trash.delete(actor=there.alice, row=model.versions.get(number=3))
    assert re.search(r"n\.txt v4 fourth", text_of(get(there.dave)))


@pytest.fixture
def many(cast: Cast) -> Cast:
    publish(cast.alice, cast.model(), {f"d/{n:03}": b"" for n in range(250)} | {"d/README.md": b"# D"}, message="many")
    return cast


def test_a_long_directory_has_pages(many) -> None:
    first = get(many.dave, "d")
    assert names(first)[0] == "000"
    assert len(names(first)) == 100
    assert "1–100 of 251" in text_of(first)
    last = get(many.dave, "d?from=200")
    assert len(names(last)) == 51
    assert 'href="?from=100"' in last.content.decode()
    assert "Next" not in text_of(last)
    assert "none from here on" in text_of(get(many.dave, "d?from=999999999"))


@pytest.mark.parametrize("start", ["x", "-1", "1" * 10, "²", "1.5"])
def test_a_page_that_is_none_is_told(many, start: str) -> None:
    get(many.dave, f"d?from={start}", 400)


def test_as_many_queries_for_many_entries_as_for_few(many, django_assert_num_queries) -> None:
    model = many.project.models.get()
    for number in range(5):
        publish(many.alice, model, {"e/1": b"", "e/README.md": b"# E", f"d/00{number}": b"changed"})
    client = browser_of(many.dave)
    client.get(f"{TREE}d")
    for path in ("d", "e"):
        with django_assert_num_queries(QUERIES):
            client.get(TREE + path)


QUERIES = 12
