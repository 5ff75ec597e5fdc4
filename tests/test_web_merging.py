"""The page of a merge: what would come of it, its conflicts decided on the page, and what somebody else did meanwhile."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry import trees
from registry.models import Event, Ref, RegisteredModel, Tree, Version
from registry.services.merging import MOST_LISTED, Outcome, merge, preview
from registry.services.refs import Move, set_ref
from registry.storage import delete_blob
from registry.web.merging import MOST_CONFLICTS
from tests.cast import Cast, publish
from tests.matchers import nothing_left_behind
from tests.reading import browser_of
from tests.test_merging import BASE, files_of, forked, on, plain
from tests.test_web_refs import text_of

pytestmark = pytest.mark.django_db

URL = "/vision/classifier/merge/"
ASKED = f"{URL}?source=wider&target=main"


@pytest.fixture
def torn(cast: Cast) -> RegisteredModel:
    """`wider` (2) and main (3) changed two files each in their own way; `wider` brings a third."""
    return forked(cast, {"a/x": b"ours", "b/z": b"ours", "new": b"n"}, {"a/x": b"theirs!", "b/z": b"theirs!"})


def head(model: RegisteredModel, branch: str = "main") -> Version:
    return Ref.objects.get(model=model, name=branch).version


def seen(response: Any) -> dict[str, str]:
    """Return the hidden fields of a page, as its form sends them."""
    found = re.findall(r'name="(seen_\w+)" value="(\d+)"', response.content.decode())
    return dict(found)


def sent(user: Any, address: str = ASKED, **picks: str) -> Any:
    """Look at the page, and send its form."""
    client = browser_of(user)
    return client.post(address, seen(client.get(address)) | picks, follow=True)


# --- What would come of it


def test_page_asks_what_is_merged_into_what(cast: Cast, torn: RegisteredModel) -> None:
    page = browser_of(cast.bob).get(URL)
    assert page.status_code == 200
    assert 'name="target" value="main"' in page.content.decode()
    assert '<option value="wider">' in page.content.decode()
    assert 'method="post" class="merge"' not in page.content.decode()


def test_conflicts_are_shown_with_both_sides_before_anything_is_written(cast: Cast, torn: RegisteredModel) -> None:
    with nothing_left_behind(but=(Event,)):
        page = browser_of(cast.bob).get(ASKED)
    said = text_of(page)
    assert "2 conflicts" in said
    assert "wider at v2" in said
    assert "main at v3" in said
    assert "Common ancestor v1" in said
    assert "In “main”, beside the conflicts: 1 file added" in said
    assert "a/x" in said
    assert re.search(r"as in wider 4 bytes · \w{10} · v2 by bbob", said)
    assert re.search(r"as in main 7 bytes · \w{10} · v3 by bbob", said)
    assert 'name="resolve:a/x" value="source"' in page.content.decode()


def test_side_that_deleted_a_file_or_made_it_a_directory_is_told(cast: Cast) -> None:
    forked(cast, {"a/x": b"11", "b": b"file"}, {"b/z": b"33"}, source_removes=("b",), target_removes=("a/x",))
    said = text_of(browser_of(cast.bob).get(ASKED))
    assert "as in main deleted there" in said
    assert "as in main a directory of 1 file, 2 bytes" in said
    assert "as in wider 4 bytes" in said


def test_merge_without_conflicts_makes_a_version_with_the_message_of_the_form(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11", "a/new": b"4"}, {"b/z": b"33"}, target_removes=("README.md",))
    page = browser_of(cast.bob).get(ASKED)
    assert "No conflicts" in text_of(page)
    assert "\nMerge wider into main</textarea>" in page.content.decode()
    done = sent(cast.bob, message="Take the wider layers\r\n\r\nBoth.")
    assert done.redirect_chain == [("/vision/classifier/versions/4/", 302)]
    assert "wider is merged into “main”: this is the new version, v4." in text_of(done)
    version = head(model)
    assert version.message == "Take the wider layers\n\nBoth."
    assert files_of(version) == plain({"a/x": b"11", "a/y": b"2", "a/new": b"4", "b/z": b"33"})


def test_empty_message_becomes_the_usual_one(cast: Cast, torn: RegisteredModel) -> None:
    sent(cast.bob, others="target", message=" ")
    assert head(torn).message == "Merge wider into main"


def test_branch_that_can_move_forward_does_so_without_a_new_version(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE)
    on(cast, model, "wider", {"a/x": b"11"})
    said = text_of(browser_of(cast.bob).get(ASKED))
    assert "Moves forward" in said
    assert "no new version is made" in said
    assert "1 file changed" in said
    assert "“main” moved forward to v2." in text_of(sent(cast.bob))
    assert (head(model).number, model.versions.count()) == (2, 2)
    said = text_of(browser_of(cast.bob).get(ASKED))
    assert "Nothing to do" in said
    assert "Merge into" not in said


def test_histories_without_a_common_version_are_told_apart(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE, branch="wider")
    assert not Version.objects.filter(refs__name="main").exists()
    response = browser_of(cast.bob).get(ASKED)
    assert response.status_code == 400
    assert "has no branch “main”" in text_of(response)


# --- Conflicts, decided


def test_conflicts_are_decided_one_by_one(cast: Cast, torn: RegisteredModel) -> None:
    done = sent(cast.bob, **{"resolve:a/x": "source", "resolve:b/z": "target"})
    assert done.redirect_chain == [("/vision/classifier/versions/4/", 302)]
    assert files_of(head(torn)) == plain(BASE | {"a/x": b"ours", "b/z": b"theirs!", "new": b"n"})


def test_conflicts_that_are_not_decided_are_told_and_the_others_stay_decided(cast: Cast, torn: RegisteredModel) -> None:
    with nothing_left_behind(but=(Event,)):
        response = sent(cast.bob, **{"resolve:a/x": "source"}, message="Mine")
    assert response.status_code == 409
    assert "1 conflict is not decided." in text_of(response)
    page = response.content.decode()
    assert re.search(r'name="resolve:a/x" value="source" checked', page)
    assert page.count(" checked") == 1
    assert "\nMine</textarea>" in page


def test_conflicts_are_decided_together_except_those_that_are_picked(cast: Cast, torn: RegisteredModel) -> None:
    sent(cast.bob, **{"resolve:a/x": "target"}, others="source")
    assert files_of(head(torn)) == plain(BASE | {"a/x": b"theirs!", "b/z": b"ours", "new": b"n"})


def test_picks_that_are_none_are_refused(cast: Cast, torn: RegisteredModel) -> None:
    for picks in ({"resolve:a/y": "source"}, {"resolve:<script>": "source"}, {"resolve:../x": "source"}):
        response = sent(cast.bob, others="source", **picks)
        assert response.status_code == 409
        assert b"<script>" not in response.content
    assert sent(cast.bob, **{"resolve:a/x": "both", "resolve:b/z": "<b>"}).status_code == 409
    assert sent(cast.bob, others="neither").status_code == 409
    assert head(torn).number == 3


def test_thousands_of_conflicts_stay_bounded_and_can_still_be_merged(cast: Cast) -> None:
    names = [f"f/{number:04}" for number in range(MOST_LISTED + 5)]
    both = [dict.fromkeys(names, content) for content in (b"0", b"1", b"2")]
    model = forked(cast, both[1], both[2], base=both[0])
    client = browser_of(cast.bob)
    with CaptureQueriesContext(connection) as captured:
        page = client.get(ASKED)
    assert len(captured) < 40
    assert page.content.decode().count("<fieldset") == MOST_CONFLICTS
    assert f"{len(names) - MOST_CONFLICTS} more conflicts are not listed here" in text_of(page)
    assert "/v1/projects/vision/models/classifier/merge/" in text_of(page)
    sent(cast.bob, **{f"resolve:{names[0]}": "target"}, others="source")
    assert files_of(head(model)) == plain(both[1] | {names[0]: b"2"})


def test_number_of_queries_is_the_same_for_few_and_many_conflicts(cast: Cast, torn: RegisteredModel) -> None:
    def queries() -> int:
        client = browser_of(cast.bob)
        client.get(ASKED)  # the first time leaves a line in the audit log
        with CaptureQueriesContext(connection) as captured:
            client.get(ASKED)
        return len(captured)

    few = queries()
    many = {f"a/{number}": b"%d" % number for number in range(20)}
    on(cast, torn, "wider", many)
    on(cast, torn, "main", {name: content + b"!" for name, content in many.items()})
    assert "22 conflicts" in text_of(browser_of(cast.bob).get(ASKED))
    assert queries() == few


def test_small_texts_are_compared_on_the_page_and_that_is_told(cast: Cast) -> None:
    ours, theirs = b"lr: 1\nlayers: <3>\n", b"lr: 2\nlayers: <3>\n"
    forked(cast, {"t": ours, "u": b"\0\1", "v": b"x" * 20_000}, {"t": theirs, "u": b"\0\2", "v": b"y"})
    page = browser_of(cast.dave).get(ASKED).content.decode()
    lines = re.findall(r'<span class="(went|came|place|)">([^<]*)\n</span>', page)
    assert lines == [("place", "@@ -1,2 +1,2 @@"), ("went", "-lr: 2"), ("came", "+lr: 1"), ("", " layers: &lt;3&gt;")]
    told = Event.objects.filter(action="version.downloaded", actor=cast.dave).values_list("subject", flat=True)
    assert sorted(told) == ["vision/classifier v2", "vision/classifier v3"]


def test_conflict_whose_bytes_are_lost_can_still_be_decided(cast: Cast, torn: RegisteredModel) -> None:
    delete_blob(hashlib.sha256(b"ours").hexdigest())
    page = browser_of(cast.bob).get(ASKED)
    assert "2 conflicts" in text_of(page)
    assert 'class="difference"' not in page.content.decode()


# --- What somebody else did meanwhile


def test_branch_that_moved_on_is_shown_as_it_is_now(cast: Cast, torn: RegisteredModel) -> None:
    client = browser_of(cast.bob)
    looked_at = seen(client.get(ASKED))
    on(cast, torn, "main", {"c": b"came in between"})
    response = client.post(ASKED, looked_at | {"resolve:a/x": "source", "others": "target"})
    assert response.status_code == 409
    assert "“main” is at version 4 now" in text_of(response)
    assert seen(response) == {"seen_source": "2", "seen_target": "4"}
    assert re.search(r'name="resolve:a/x" value="source" checked', response.content.decode())
    assert head(torn).number == 4


def test_source_that_moved_on_is_shown_as_it_is_now(cast: Cast, torn: RegisteredModel) -> None:
    client = browser_of(cast.bob)
    looked_at = seen(client.get(ASKED))
    on(cast, torn, "wider", {"c": b"came in between"})
    response = client.post(ASKED, looked_at | {"others": "target"})
    assert response.status_code == 409
    assert "“wider” is at version 4 now; you looked at version 2" in text_of(response)
    assert head(torn).number == 3
    client.post(ASKED, seen(response) | {"others": "target"})
    assert files_of(head(torn)) == plain(
        BASE | {"a/x": b"theirs!", "b/z": b"theirs!", "new": b"n", "c": b"came in between"}
    )


def test_preview_and_merge_do_not_differ(cast: Cast, torn: RegisteredModel) -> None:
    found = preview(actor=cast.dave, model=torn, source="wider", target="main")
    assert (found.meeting.outcome, sorted(found.conflicts)) == (Outcome.MERGED, ["a/x", "b/z"])
    assert [(change.path, change.kind) for change in found.changes] == [("new", "added")]
    version, _ = merge(
        actor=cast.bob, model=torn, source="wider", target="main", resolve=dict.fromkeys(found.conflicts, "target")
    )
    differences = trees.compare(Tree.objects.contents_of, found.meeting.head.tree_id, version.tree_id)
    assert differences == list(found.changes)


# --- Who, and what strangers send


def test_viewer_sees_what_would_come_and_no_form(cast: Cast, torn: RegisteredModel) -> None:
    page = browser_of(cast.dave).get(ASKED)
    assert "2 conflicts" in text_of(page)
    assert 'type="radio"' not in page.content.decode()
    assert page.content.decode().count('method="post"') == 1  # the one to sign out
    response = browser_of(cast.dave).post(ASKED, seen(browser_of(cast.bob).get(ASKED)) | {"others": "source"})
    assert response.status_code == 403
    assert "it takes the role contributor" in text_of(response)
    assert head(torn).number == 3


def test_protected_branch_says_so_before_a_contributor_tries(cast: Cast, torn: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=torn, move=Move("branch", "main", protected=True))
    page = browser_of(cast.bob).get(ASKED)
    assert "“main” is protected: it takes the role maintainer" in text_of(page)
    assert 'type="radio"' not in page.content.decode()
    fields = {"seen_source": "2", "seen_target": "3", "others": "source"}
    assert browser_of(cast.bob).post(ASKED, fields).status_code == 403
    assert sent(cast.carol, others="source").status_code == 200
    assert head(torn).number == 4


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("source=nobody&target=main", "has no “nobody”"),
        ("source=wider&target=nobody", "has no branch “nobody”"),
        ("source=<script>alert(1)</script>&target=main", "has no “<script>"),
        ("source=wider&target=<script>alert(1)</script>", "has no branch “<script>"),
        ("source=&target=main", "This field is required"),
        (f"source={'x' * 5000}&target=main", "at most 100 characters"),
        ("source=wider&target=", "This field is required"),
        ("source=0000000&target=main", "has no"),
    ],
)
def test_what_cannot_be_merged_is_told_beside_the_fields(
    cast: Cast, torn: RegisteredModel, query: str, said: str
) -> None:
    response = browser_of(cast.bob).get(f"{URL}?{query}")
    assert response.status_code == 400
    assert said in text_of(response)
    assert b"<script>alert" not in response.content
    assert b'class="merge"' not in response.content


def test_paths_and_messages_are_text(cast: Cast) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&.txt"
    forked(cast, {hostile: b"1"}, {hostile: b"2"}, base={hostile: b"0"})
    page = browser_of(cast.bob).get(ASKED).content.decode()
    assert "<img src=x" not in page
    sent(cast.bob, **{f"resolve:{hostile}": "source"}, message="<script>alert(1)</script>")
    page = browser_of(cast.bob).get("/vision/classifier/merge/?source=main&target=wider").content.decode()
    assert "<script>alert" not in page
    assert html.escape("<script>alert(1)</script>") in page


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seen_source": "x", "seen_target": "3"},
        {"seen_source": "2", "seen_target": "99999999999999999999"},
        {"seen_source": "2", "seen_target": "3", "message": "a\0b", "others": "source"},
        {"seen_source": "2", "seen_target": "3", "message": "x" * 200_000, "others": "source"},
        {"seen_source": "2", "seen_target": "3", "resolve:a\0x": "source", "others": "source"},
    ],
)
def test_forms_that_no_page_sends_are_refused(cast: Cast, torn: RegisteredModel, fields: dict[str, str]) -> None:
    assert browser_of(cast.bob).post(ASKED, fields).status_code in (400, 409)
    assert browser_of(cast.bob).post(URL, fields).status_code == 400
    assert head(torn).number == 3


def test_former_name_of_the_model_keeps_the_choice(cast: Cast, torn: RegisteredModel) -> None:
    client = Client()
    client.force_login(cast.dave)
    response = client.get(ASKED.replace("classifier", "CLASSIFIER"))
    assert (response.status_code, response.url) == (301, ASKED)
