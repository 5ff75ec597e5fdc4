"""The pages of branches, tags and aliases: what they say, who may change what, and what strangers send."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import Ref, RefMove, RegisteredModel
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.registered_models import update_model
from registry.services.rollbacks import roll_back
from registry.services.trash import delete
from tests.cast import Cast, publish
from tests.reading import browser_of

pytestmark = pytest.mark.django_db

URL = "/vision/classifier/refs/"
PRODUCTION = f"{URL}alias/production/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """Three versions on main, one on `wider`, and `production` moved from 1 to 2."""
    model = cast.model()
    for number in range(3):
        publish(cast.bob, model, {"weights.bin": b"%d" % number}, message=f"Train {number + 1}")
    publish(cast.bob, model, {"weights.bin": b"wide"}, branch="wider", message="Widen")
    point(cast.carol, model, "alias", "production", "1", comment="first release")
    point(cast.alice, model, "alias", "production", "2", comment="better on the June data")
    return model


def point(actor: Any, model: RegisteredModel, kind: str, name: str, revision: str, **more: Any) -> Ref:
    return set_ref(actor=actor, model=model, move=Move(kind, name, revision, **more))[0]


def text_of(response: Any) -> str:
    """Return what the page says, with the words of its pictures as close together as they are drawn."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", response.content.decode())).split())


def posted(user: Any, address: str, **said: str) -> str:
    """Post a form as a browser does; return what the page says that it leads to."""
    response = browser_of(user).post(address, said, follow=True)
    assert response.status_code == 200, text_of(response)
    return text_of(response)


def stands(model: RegisteredModel, name: str) -> int | None:
    ref = Ref.objects.filter(model=model, name=name).select_related("version").first()
    return ref.version.number if ref else None


# --- All of them


def test_branches_tags_and_aliases_are_listed_with_who_why_and_how_far(cast: Cast, model: RegisteredModel) -> None:
    point(cast.bob, model, "tag", "release-1", "3", comment="for the paper")
    page = browser_of(cast.dave).get(URL)
    said = text_of(page)
    assert "main default v3 Train 3" in said
    assert "wider v4 Widen" in said
    assert "1 ahead, 0 behind main" in said
    assert "production v2 Train 2" in said
    assert "“better on the June data”" in said
    assert "release-1 v3 Train 3" in said
    assert "“for the paper”" in said
    assert f'href="{PRODUCTION}"' in page.content.decode()
    assert "?source=wider&amp;target=main" in page.content.decode()


def test_default_branch_comes_first_however_many_came_later(cast: Cast, model: RegisteredModel) -> None:
    for number in range(12):
        point(cast.bob, model, "branch", f"try-{number}x", "1")
    said = text_of(browser_of(cast.dave).get(URL))
    assert said.index("main default") < said.index("try-11x") < said.index("try-2x")
    assert "try-1x" not in said
    assert "All branches" in said
    update_model(actor=cast.alice, model=model, default_branch="try-0x")
    said = text_of(browser_of(cast.dave).get(f"{URL}?kind=branch"))
    assert said.index("try-0x default") < said.index("try-11x") < said.index("main v3")


def test_many_tags_come_in_pages(cast: Cast, model: RegisteredModel) -> None:
    for number in range(60):
        point(cast.bob, model, "tag", f"t{number}.0", "1")
    client = browser_of(cast.dave)
    first = client.get(f"{URL}?kind=tag").content.decode()
    assert "t59.0" in first
    assert "t10.0" in first
    assert ">t9.0" not in first
    older = html.unescape(re.search(r'rel="next" href="([^"]+)"', first)[1])
    assert "kind=tag" in older
    assert ">t9.0" in client.get(URL + older).content.decode()


def test_number_of_queries_is_the_same_for_few_and_many(cast: Cast, model: RegisteredModel) -> None:
    client = browser_of(cast.dave)

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    point(cast.bob, model, "tag", "one-tag", "1")
    few = [queries(address) for address in (URL, f"{URL}?kind=branch", PRODUCTION)]
    for number in range(9):
        point(cast.bob, model, "branch", f"b{number}.x", "1")
        point(cast.bob, model, "tag", f"t{number}.x", "2")
        point(cast.bob, model, "alias", f"a{number}.x", "3")
        point(cast.bob, model, "alias", "production", str(number % 3 + 1))
    assert [queries(address) for address in (URL, f"{URL}?kind=branch", PRODUCTION)] == few
    assert max(few) <= 25


def test_model_without_versions_says_what_to_do_first(cast: Cast) -> None:
    cast.model("empty")
    assert "lmvp publish vision/empty" in text_of(browser_of(cast.alice).get("/vision/empty/refs/"))


def test_unknown_kind_shows_all(cast: Cast, model: RegisteredModel) -> None:
    assert "Branches, tags and aliases" in text_of(browser_of(cast.dave).get(f"{URL}?kind=<script>"))


# --- A new one


@pytest.mark.parametrize(("kind", "name"), [("branch", "narrow"), ("tag", "release-1"), ("alias", "staging")])
def test_name_is_made_on_a_page(cast: Cast, model: RegisteredModel, kind: str, name: str) -> None:
    said = posted(cast.bob, f"{URL}new/?kind={kind}", name=name, revision="v2", comment="to try it")
    assert f"The {kind} “{name}” is there." in said
    assert "to try it" in said
    move = RefMove.objects.latest("id")
    assert (move.kind, move.name, move.to_version.number, move.actor) == (kind, name, 2, cast.bob)  # type: ignore[union-attr]


def test_maintainer_may_protect_a_new_alias_and_have_it_served(cast: Cast, model: RegisteredModel) -> None:
    posted(cast.carol, f"{URL}new/?kind=alias", name="staging", revision="latest", active="on", protected="on")
    ref = Ref.objects.get(model=model, name="staging")
    assert (ref.active, ref.protected, ref.version.number) == (True, True, 3)


def test_field_that_one_may_not_use_is_not_there_and_not_read(cast: Cast, model: RegisteredModel) -> None:
    assert 'name="protected"' not in browser_of(cast.bob).get(f"{URL}new/?kind=alias").content.decode()
    posted(cast.bob, f"{URL}new/?kind=alias", name="staging", revision="1", protected="on")
    assert not Ref.objects.get(model=model, name="staging").protected


@pytest.mark.parametrize(
    ("name", "revision", "said"),
    [
        ("production", "1", "is there, at version 2"),
        ("main", "1", "has a branch “main” already"),
        ("v3", "1", "could be read as a version number"),
        ("<script>", "1", "is no name"),
        ("x" * 101, "1", "is no name"),
        ("x" * 10_000, "1", "at most 101 characters"),
        ("a\0b", "1", "Null characters are not allowed"),
        ("", "1", "This field is required"),
        ("fine", "99", "has no “99”"),
        ("fine", "<b>", "has no “<b>”"),
        ("fine", "x" * 10_000, "at most 100 characters"),
    ],
)
def test_what_is_no_name_or_no_version_is_told_on_the_form(
    cast: Cast, model: RegisteredModel, name: str, revision: str, said: str
) -> None:
    moves = RefMove.objects.count()
    response = browser_of(cast.alice).post(f"{URL}new/?kind=alias", {"name": name, "revision": revision})
    assert response.status_code == 400
    assert said in text_of(response)
    assert b"<script>" not in response.content
    assert RefMove.objects.count() == moves


def test_version_to_name_can_come_with_the_address(cast: Cast, model: RegisteredModel) -> None:
    page = browser_of(cast.bob).get(f"{URL}new/?kind=tag&revision=2").content.decode()
    assert 'value="2"' in page
    assert "New tag" in page


# --- One over time


def test_page_of_a_name_tells_who_moved_it_when_and_why(cast: Cast, model: RegisteredModel) -> None:
    roll_back(actor=cast.carol, model=model, name="production", comment="too slow")
    page = browser_of(cast.dave).get(PRODUCTION)
    said = text_of(page)
    assert "At v1 Train 1rolled back by ccarol" in said
    assert "“too slow”" in said
    assert "taking back the move to v2 by alice" in said
    assert "better on the June data" in said
    labels = re.findall(r'text-anchor="middle">([^<]+)<', page.content.decode())
    assert labels == ["v1", "v2", "v1"]
    assert re.search(r'aria-label="v1 from [^"]*, v2 from [^"]*, v1 from [^"]* until now"', page.content.decode())


def test_strip_shows_the_newest_moves_and_the_list_all_of_them(cast: Cast, model: RegisteredModel) -> None:
    for number in range(70):
        point(cast.bob, model, "alias", "production", str(number % 2 + 1), comment=f"move {number}.")
    client = browser_of(cast.dave)
    page = client.get(PRODUCTION).content.decode()
    assert page.count('text-anchor="middle"') == 16
    assert "The newest 16 moves; all are listed below." in page
    older = html.unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])
    assert "first release" not in page
    assert "first release" in client.get(PRODUCTION + older).content.decode()


def test_deleted_name_keeps_its_page(cast: Cast, model: RegisteredModel) -> None:
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production", comment="not used any more")
    page = browser_of(cast.dave).get(PRODUCTION)
    said = text_of(page)
    assert "Deleted by" in said
    assert "“not used any more”" in said
    assert "It stood at v2" in said
    assert re.findall(r'text-anchor="middle">([^<]+)<', page.content.decode()) == ["v1", "v2", "deleted"]


@pytest.mark.parametrize("name", ["nothing", "main", "x" * 2000, "<script>alert(1)</script>".replace("/", "")])
def test_name_that_never_was_is_not_found(cast: Cast, model: RegisteredModel, name: str) -> None:
    response = browser_of(cast.alice).get(f"{URL}alias/{name}/")
    assert response.status_code == 404
    assert "no branch, tag or alias of this name" in text_of(response)
    assert b"<script>alert" not in response.content


def test_nul_in_a_name_or_an_unknown_kind_is_not_found(cast: Cast, model: RegisteredModel) -> None:
    client = browser_of(cast.alice)
    assert client.get(f"{URL}alias/a%00b/").status_code == 404
    assert client.get(f"{URL}aliases/production/").status_code == 404
    assert client.get(f"{PRODUCTION}?time=%00").status_code == 404


def test_comments_and_messages_are_text(cast: Cast, model: RegisteredModel) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    publish(cast.bob, model, {"w": b"x"}, message=hostile)
    point(cast.bob, model, "alias", "production", "5", comment=hostile)
    client = browser_of(cast.alice)
    for address in (URL, PRODUCTION, f"{PRODUCTION}?time=2090-01-01T00:00", f"{URL}new/"):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_what_it_was_on_a_day_is_answered_in_words(cast: Cast, model: RegisteredModel) -> None:
    client = browser_of(cast.dave)
    assert "production had not been set yet" in text_of(client.get(f"{PRODUCTION}?time=2020-01-01T12:00"))
    said = text_of(client.get(f"{PRODUCTION}?time=2090-01-01T12:00"))
    assert "On 1 January 2090 at 12:00 UTC, as far as anybody knows today, production stood at v2 Train 2" in said
    assert "alice had moved it there on" in said
    assert "saying “better on the June data”" in said
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    assert "production was deleted: ccarol deleted it on" in text_of(client.get(f"{PRODUCTION}?time=2090-01-01"))


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01T00:00", "<script>", "9" * 10_000])
def test_time_that_is_none_is_told_beside_the_field(cast: Cast, model: RegisteredModel, time: str) -> None:
    response = browser_of(cast.dave).get(PRODUCTION, {"time": time})
    assert response.status_code == 200
    assert "is no time. Write it like" in text_of(response)
    assert b'aria-invalid="true"' in response.content
    assert b"<script>\xe2" not in response.content


def test_former_name_of_the_model_leads_to_the_page(cast: Cast, model: RegisteredModel) -> None:
    update_model(actor=cast.alice, model=model, name="digits")
    response = browser_of(cast.dave).get(f"{PRODUCTION}?time=2026-01-01")
    assert (response.status_code, response.url) == (301, "/vision/digits/refs/alias/production/?time=2026-01-01")


# --- What is done to one


def test_alias_is_moved_with_a_comment(cast: Cast, model: RegisteredModel) -> None:
    said = posted(cast.bob, f"{PRODUCTION}move/", revision="3", comment="July", expected="2")
    assert "“production” is at v3 now." in said
    assert (stands(model, "production"), RefMove.objects.latest("id").comment) == (3, "July")


def test_alias_that_somebody_else_moved_meanwhile_stays(cast: Cast, model: RegisteredModel) -> None:
    point(cast.carol, model, "alias", "production", "1")
    response = browser_of(cast.bob).post(f"{PRODUCTION}move/", {"revision": "3", "expected": "2", "comment": "July"})
    assert response.status_code == 400
    assert "names version 1 now, not what you expected" in text_of(response)
    assert b'value="July"' in response.content
    assert stands(model, "production") == 1


def test_form_that_was_refused_can_be_sent_again_as_the_page_is_now(cast: Cast, model: RegisteredModel) -> None:
    point(cast.carol, model, "alias", "production", "1")
    client = browser_of(cast.bob)
    page = client.post(f"{PRODUCTION}move/", {"revision": "3", "expected": "2"}).content.decode()
    expected = re.search(r'name="expected" value="([^"]*)" id="move_expected"', page)[1]
    client.post(f"{PRODUCTION}move/", {"revision": "3", "expected": expected})
    assert stands(model, "production") == 3


@pytest.mark.parametrize("revision", ["99", "", "<script>", "a\0b", "x" * 10_000])
def test_move_to_what_is_no_version_is_told_on_the_page(cast: Cast, model: RegisteredModel, revision: str) -> None:
    response = browser_of(cast.bob).post(f"{PRODUCTION}move/", {"revision": revision})
    assert response.status_code == 400
    assert b"errorlist" in response.content or b'role="alert"' in response.content
    assert b"<script>\xe2" not in response.content
    assert stands(model, "production") == 2


def test_rollback_is_announced_and_done(cast: Cast, model: RegisteredModel) -> None:
    said = text_of(browser_of(cast.bob).get(PRODUCTION))
    assert "Back to v1 Train 1, where carol had put it" in said
    assert "(“first release”)" in said
    assert "Takes back the move to v2 by alice" in said
    posted(cast.bob, f"{PRODUCTION}rollback/", comment="too slow", expected="2")
    assert stands(model, "production") == 1
    assert "No earlier move is left to take back" in text_of(browser_of(cast.bob).get(PRODUCTION))
    assert "No earlier move of “production” is left" in posted(cast.bob, f"{PRODUCTION}rollback/")


def test_rollback_that_somebody_was_quicker_with_takes_no_second_step(cast: Cast, model: RegisteredModel) -> None:
    point(cast.carol, model, "alias", "production", "3")
    assert "names version 3 now, not what you expected" in posted(cast.bob, f"{PRODUCTION}rollback/", expected="2")
    assert stands(model, "production") == 3


@pytest.mark.parametrize(
    ("kind", "name", "back"), [("alias", "production", "rollback"), ("tag", "t.1", "move"), ("branch", "wider", "move")]
)
def test_name_is_deleted_and_brought_back_from_its_page(
    cast: Cast, model: RegisteredModel, kind: str, name: str, back: str
) -> None:
    point(cast.bob, model, "tag", "t.1", "2")
    was, address = stands(model, name), f"{URL}{kind}/{name}/"
    assert "is deleted. Its history stays here" in posted(
        cast.bob, f"{address}delete/", comment="oops", expected=str(was)
    )
    assert stands(model, name) is None
    page = browser_of(cast.bob).get(address)
    assert "Bring back" in text_of(page)
    assert f'action="{address}{back}/"' in page.content.decode()
    posted(cast.bob, f"{address}{back}/", revision=str(was), expected="-", comment="not oops")
    assert stands(model, name) == was


def test_default_branch_and_tags_offer_no_way_that_is_refused(cast: Cast, model: RegisteredModel) -> None:
    point(cast.bob, model, "tag", "t.1", "2")
    client = browser_of(cast.alice)
    assert "delete/" not in client.get(f"{URL}branch/main/").content.decode()
    assert "The default branch stays" in text_of(client.get(f"{URL}branch/main/"))
    assert "move/" not in client.get(f"{URL}tag/t.1/").content.decode()
    assert "Tags do not move" in text_of(client.get(f"{URL}tag/t.1/"))
    assert "is the default branch" in posted(cast.alice, f"{URL}branch/main/delete/")
    response = client.post(f"{URL}tag/t.1/move/", {"revision": "3"})
    assert response.status_code == 400
    assert "tags do not move" in text_of(response)
    assert (stands(model, "main"), stands(model, "t.1")) == (3, 2)


def test_contributor_moves_a_branch_forward_only_and_is_told_before(cast: Cast, model: RegisteredModel) -> None:
    assert "Forward only" in text_of(browser_of(cast.bob).get(f"{URL}branch/wider/"))
    response = browser_of(cast.bob).post(f"{URL}branch/wider/move/", {"revision": "1"})
    assert response.status_code == 403
    assert "the branch would lose versions" in text_of(response)
    posted(cast.carol, f"{URL}branch/wider/move/", revision="1")
    assert stands(model, "wider") == 1


def test_protected_name_says_so_before_a_contributor_tries(cast: Cast, model: RegisteredModel) -> None:
    assert "“production” is protected now." in posted(cast.carol, f"{PRODUCTION}change/", flag="protected", on="yes")
    page = browser_of(cast.bob).get(PRODUCTION)
    assert "“production” is protected: it takes the role maintainer" in text_of(page)
    assert '<form method="post" class=' not in page.content.decode()
    for action in ("move", "delete", "rollback"):
        assert browser_of(cast.bob).post(f"{PRODUCTION}{action}/", {"revision": "3"}).status_code == 403
    assert browser_of(cast.bob).post(f"{PRODUCTION}change/", {"flag": "protected", "on": "no"}).status_code == 403
    assert stands(model, "production") == 2
    posted(cast.carol, f"{PRODUCTION}change/", flag="protected", on="no")
    posted(cast.bob, f"{PRODUCTION}move/", revision="3")


def test_alias_is_served_and_the_page_says_what_stands_where(
    cast: Cast, model: RegisteredModel, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert "“production” is active now." in posted(cast.bob, f"{PRODUCTION}change/", flag="active", on="yes")
    said = text_of(browser_of(cast.dave).get(PRODUCTION))
    assert "The files of v2 stand ready" in said
    assert "vision/classifier/production" in said


def test_flag_that_is_none_is_refused(cast: Cast, model: RegisteredModel) -> None:
    for said in ({}, {"flag": "kind", "on": "yes"}, {"flag": "active", "on": "<b>"}):
        assert browser_of(cast.alice).post(f"{PRODUCTION}change/", said).status_code == 400
    assert "cannot be active" in posted(cast.alice, f"{URL}branch/main/change/", flag="active", on="yes")


def test_viewer_sees_no_forms_and_is_refused(cast: Cast, model: RegisteredModel) -> None:
    client = browser_of(cast.dave)
    for address in (URL, PRODUCTION, f"{URL}branch/main/"):
        page = client.get(address).content.decode()
        assert page.count('method="post"') == 1  # the one to sign out
        assert f"{URL}new/" not in page
    for action in ("move", "change", "delete", "rollback"):
        response = client.post(f"{PRODUCTION}{action}/", {"revision": "1"})
        assert response.status_code == 403
        assert "it takes the role contributor" in text_of(response)
    assert client.get(f"{URL}new/").status_code == 403
    assert stands(model, "production") == 2


def test_twin_of_a_name_is_its_history_also_when_it_is_gone(cast: Cast, model: RegisteredModel) -> None:
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    client = browser_of(cast.dave)
    twin = re.search(r'type="application/json" href="([^"]+)"', client.get(PRODUCTION).content.decode())[1]
    assert twin == "/v1/projects/vision/models/classifier/aliases/production/moves/"
    assert client.get(twin).status_code == 200
    twin = re.search(r'type="application/json" href="([^"]+)"', client.get(f"{URL}?kind=tag").content.decode())[1]
    assert client.get(twin).status_code == 200


def test_version_in_the_trash_is_named_and_not_linked(cast: Cast, model: RegisteredModel) -> None:
    point(cast.carol, model, "alias", "production", "3")
    delete(actor=cast.alice, row=model.versions.get(number=2))
    page = browser_of(cast.bob).get(PRODUCTION)
    assert "which is in the trash" in text_of(page)
    assert 'href="/vision/classifier/versions/2/"' not in page.content.decode()
