"""The page of one version: what it shows to whom, and what can be done from it."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client

from registry.models import Event, Ref, RefMove, Visibility
from registry.services import refs, trash
from registry.services.deprecation import deprecate_version
from registry.services.metrics import Measured, log_metrics
from registry.services.projects import create_project
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model, update_model
from tests.cast import Cast, publish
from tests.reading import browser_of, text_of

pytestmark = pytest.mark.django_db

PAGE = "/vision/classifier/versions/"
BAD = '<script>alert("x")</script>'


@pytest.fixture
def model(cast: Cast):
    made = cast.model()
    publish(cast.alice, made, {"README.md": b"# Digits", "deep/weights.bin": b"1"}, message="first")
    publish(cast.bob, made, {"weights.bin": b"22"}, message="second\n\n  kept  as it is", alias="production")
    return made


def shown(user, address: str, status: int = 200) -> str:
    response = browser_of(user).get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def said_after(response) -> str:
    """The page that a form leads to, as text."""
    return text_of(response.content.decode())


# --- What it shows


def test_a_page_tells_what_the_version_is(cast: Cast, model) -> None:
    page = shown(cast.dave, f"{PAGE}2/")
    version = model.versions.get(number=2)
    assert "<title>v2 · vision/classifier · LMVP</title>" in page
    assert '<div class="version-message">  kept  as it is</div>' in page
    assert version.digest in page
    assert f'rel="prev" href="{PAGE}1/"' in page
    assert 'rel="next"' not in page
    text = text_of(page)
    assert "v2 second" in text
    assert "bob published it" in text
    assert "3 files, 11 bytes" in text
    assert f'lmvp.download("vision/classifier", revision="{version.digest}")' in text
    assert f"lmvp download vision/classifier@{version.digest}" in text
    assert f"/v1/projects/vision/models/classifier/versions/{version.digest}/archive/?format=tar" in text
    assert '"/v1/projects/vision/models/classifier/versions/2/"' in page  # its twin


def test_what_people_wrote_is_text(cast: Cast, model) -> None:
    version = publish(
        cast.alice, model, {f"{BAD[:8]}.txt": b"1"}, message=f"{BAD}\n{BAD}", metadata={BAD: [BAD, {BAD: BAD}]}
    )
    log_metrics(actor=cast.alice, version=version, measured=[Measured(BAD, BAD)])
    log_metrics(actor=cast.alice, version=version, measured=[Measured(f"{BAD}/s", float(n), n) for n in range(3)])
    deprecate_version(actor=cast.alice, version=version, reason=BAD)
    set_ref(actor=cast.alice, model=model, move=Move("alias", "staging", "3", comment=BAD))
    for address in (f"{PAGE}3/", f"{PAGE}3/lineage/", f"{PAGE}1/"):
        assert "<script>alert" not in shown(cast.alice, address)


def test_a_long_message_is_folded_and_a_long_title_cut(cast: Cast, model) -> None:
    publish(cast.alice, model, {"a": b"1"}, message="word " * 2000)
    publish(cast.alice, model, {"a": b"2"}, message="short\n" + "line\n" * 30)
    page = shown(cast.dave, f"{PAGE}3/")
    assert len(re.search(r"<h1.*?</h1>", page, re.DOTALL)[0]) < 300
    assert "The whole message" in page
    assert "word " * 1999 in page
    assert "The whole message" in shown(cast.dave, f"{PAGE}4/")


@pytest.mark.parametrize("revision", ["9", "nothing", "latest%00", "0" * 9, "v1%20", "%3Cscript%3E", "a" * 10_000])
def test_an_unknown_revision_is_told_so(cast: Cast, model, revision: str) -> None:
    client = browser_of(cast.dave)
    assert client.get(f"{PAGE}{revision}/").status_code == 404


def test_a_former_name_leads_to_the_page(cast: Cast, model) -> None:
    update_model(actor=cast.alice, model=model, name="digits")
    response = browser_of(cast.dave).get(f"{PAGE}2/?depth=1")
    assert response.status_code == 301
    assert response.url == "/vision/digits/versions/2/?depth=1"


def test_metrics_stand_beside_those_of_the_parent(cast: Cast, model) -> None:
    first, second = model.versions.order_by("number")
    log_metrics(actor=cast.bob, version=first, measured=[Measured("loss", 0.5), Measured("gpu", "A100")])
    log_metrics(
        actor=cast.bob, version=second, measured=[Measured("loss", 0.4), Measured("gpu", "A100"), Measured("f1", 1.0)]
    )
    text = text_of(shown(cast.dave, f"{PAGE}2/"))
    assert "loss 0.4 0.5 -0.1 (-20.0 %)" in text
    assert "gpu A100 A100 same" in text
    assert "f1 1 – new" in text


def test_series_are_charts_with_their_tables_by_pages(cast: Cast, model) -> None:
    version = model.versions.get(number=1)
    measured = [Measured(f"series-{name}", float(step), step) for name in range(8) for step in range(12)]
    log_metrics(actor=cast.bob, version=version, measured=[*measured, Measured("alone", 1.0, 7), Measured("flat", 2.0)])
    page = shown(cast.dave, f"{PAGE}1/")
    assert page.count('<figure class="chart">') == 6
    assert '"kind": "lines"' in page
    assert page.count('aria-label="series-0 by step"') == 1
    more = html.unescape(re.search(r'href="([^"]*charts=[^"]*)#charts"', page)[1])
    assert shown(cast.dave, f"{PAGE}1/{more}").count('<figure class="chart">') == 2


def test_many_metrics_come_by_pages(cast: Cast, model) -> None:
    version = model.versions.get(number=1)
    log_metrics(actor=cast.bob, version=version, measured=[Measured(f"m{n:03}", 1.0) for n in range(60)])
    page = shown(cast.dave, f"{PAGE}1/")
    assert "m049" in page
    assert "m050" not in page
    more = html.unescape(re.search(r'href="([^"]*metrics=[^"]*)#metrics"', page)[1])
    assert "m050" in shown(cast.dave, f"{PAGE}1/{more}")


def test_a_newer_version_of_its_branch_is_hinted_at(cast: Cast, model) -> None:
    assert "There is a newer version" in shown(cast.dave, f"{PAGE}1/")
    assert "There is a newer version" not in shown(cast.dave, f"{PAGE}2/")


def test_what_happened_is_told_as_far_as_one_may_see_it(cast: Cast, model) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1", comment="too slow"))
    log_metrics(actor=cast.bob, version=model.versions.get(number=1), measured=[Measured("loss", 0.5)])
    viewer, maintainer = (text_of(shown(who, f"{PAGE}1/")) for who in (cast.dave, cast.carol))
    for text in (viewer, maintainer):
        assert "carol alias production moved here from v2" in text
        assert "too slow" in text
        assert "alice branch main made here" in text
        assert "bob branch main moved on to v2" in text
    assert "logged metrics" not in viewer
    assert "bob logged metrics" in maintainer
    assert "alice published it" in maintainer


def test_what_happened_under_a_former_name_is_told(cast: Cast, model) -> None:
    log_metrics(actor=cast.bob, version=model.versions.get(number=1), measured=[Measured("loss", 0.5)])
    update_model(actor=cast.alice, model=model, name="digits")
    assert "bob logged metrics" in text_of(shown(cast.carol, "/vision/digits/versions/1/"))
    assert Event.objects.about(model.versions.select_related("model__project").get(number=1)).count() == 2


def test_lineage_is_a_picture_and_a_table(cast: Cast, model) -> None:
    data = create_model(actor=cast.alice, project=cast.project, name="scans", kind="dataset")
    publish(cast.alice, data, {"a.csv": b"1"}, message="scans of June")
    publish(cast.alice, model, {"a": b"1"}, message="third", derived_from=["vision/scans@1"])
    for address in (f"{PAGE}3/", f"{PAGE}3/lineage/", f"{PAGE}3/lineage/?depth=20"):
        page = shown(cast.dave, address)
        assert '<a href="/vision/scans/versions/1/"><g class="node ' in page
        assert "vision/scans v1: scans of June is a source of vision/classifier v3: third" in text_of(page)
        assert "vision/classifier v2: second is the parent of vision/classifier v3: third" in text_of(page)
    assert "classifier v1" in shown(cast.dave, f"{PAGE}3/lineage/")
    assert "v1: first" not in shown(cast.dave, f"{PAGE}3/lineage/?depth=1")


def test_lineage_leaves_out_what_one_may_not_see(cast: Cast, model) -> None:
    secret = create_project(actor=cast.alice, name="secret")
    publish(
        cast.alice, create_model(actor=cast.alice, project=secret, name="base"), {"a": b"1"}, message="hidden thing"
    )
    publish(cast.alice, model, {"a": b"1"}, derived_from=["secret/base@1"])
    page = shown(cast.dave, f"{PAGE}3/lineage/")
    assert "secret" not in page
    assert "1 in projects that you may not see" in text_of(page)
    assert "secret/base v1" in text_of(shown(cast.alice, f"{PAGE}3/lineage/"))


@pytest.mark.parametrize("depth", ["-1", "21", "x", "1e3", "٣", ""])
def test_a_depth_that_is_none_is_refused(cast: Cast, model, depth: str) -> None:
    assert browser_of(cast.dave).get(f"{PAGE}1/lineage/?depth={depth}").status_code == 400


def test_queries_do_not_grow_with_what_there_is(cast: Cast, model, django_assert_max_num_queries) -> None:
    version = model.versions.get(number=2)
    client = browser_of(cast.alice)
    log_metrics(
        actor=cast.bob,
        version=version,
        measured=[Measured(f"m{n}/{step}", 1.0, s) for n in range(9) for step in "ab" for s in range(3)],
    )
    for n in range(12):
        set_ref(actor=cast.alice, model=model, move=Move("tag", f"tag-{n}", "2"))
        set_ref(actor=cast.alice, model=model, move=Move("alias", f"alias-{n}", "1"))
        publish(cast.alice, model, {f"{n}/{m}": b"1" for m in range(3)}, branch=f"b{n}", parent="2")
    with django_assert_max_num_queries(56):
        assert client.get(f"{PAGE}2/").status_code == 200
    with django_assert_max_num_queries(60):
        assert client.get(f"{PAGE}2/lineage/").status_code == 200


# --- What can be done


def test_only_what_a_role_allows_is_offered(cast: Cast, model) -> None:
    offered = {
        who: set(re.findall(rf'action="{PAGE}2/([a-z-]+)/"', shown(getattr(cast, who), f"{PAGE}2/")))
        for who in ("dave", "bob", "carol")
    }
    contributing = {"tag", "branch", "alias", "log"}  # the one branch is at v2: nowhere to restore it to
    assert offered["dave"] == set()
    assert offered["bob"] == contributing
    assert offered["carol"] == contributing | {"deprecate"}  # `production` stands in the way of deletion
    model.project.visibility = Visibility.PUBLIC
    model.project.save()
    assert "csrf" not in Client().get(f"{PAGE}2/").content.decode().partition("<main")[2]


def test_a_tag_and_a_branch_are_made(cast: Cast, model) -> None:
    client = browser_of(cast.bob)
    response = client.post(f"{PAGE}1/tag/", {"name": "paper-2026"}, follow=True)
    assert "The tag “paper-2026” names v1." in said_after(response)
    response = client.post(f"{PAGE}1/branch/", {"name": "july"}, follow=True)
    assert "The branch “july” begins at v1." in said_after(response)
    made = Ref.objects.filter(model=model, version__number=1).values_list("kind", "name")
    assert set(made) == {("tag", "paper-2026"), ("branch", "july")}


@pytest.mark.parametrize("name", ["", "latest", "v3", "a" * 101, BAD, "a\0b", "main"])
def test_a_name_that_is_none_is_refused_beside_its_field(cast: Cast, model, name: str) -> None:
    response = browser_of(cast.bob).post(f"{PAGE}1/tag/", {"name": name})
    assert response.status_code == 400
    page = response.content.decode()
    assert 'class="errorlist"' in page or 'class="notice error"' in page
    assert '<details class="menu" open>' in page
    assert "<script>alert" not in page
    assert not Ref.objects.filter(kind="tag").exists()


def test_an_alias_is_moved_from_where_the_page_showed_it(cast: Cast, model) -> None:
    client = browser_of(cast.bob)
    assert 'value="production@2"' in client.get(f"{PAGE}1/").content.decode()
    said = {"alias": "production@2", "comment": "faster", "active": ""}
    response = client.post(f"{PAGE}1/alias/", said, follow=True)
    assert "The alias “production” names v1 now." in said_after(response)
    move = RefMove.objects.filter(name="production").first()
    assert (move.to_version.number, move.comment, move.actor) == (1, "faster", cast.bob)


def test_an_alias_that_somebody_moved_meanwhile_stays_there(cast: Cast, model) -> None:
    publish(cast.alice, model, {"a": b"3"}, message="third")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "3"))
    response = browser_of(cast.bob).post(f"{PAGE}1/alias/", {"alias": "production@2"})
    assert response.status_code == 400
    assert "“production” names version 3 now, not what you expected." in said_after(response)
    assert 'value="production@3"' in response.content.decode()  # and can be chosen from there
    assert Ref.objects.get(name="production").version.number == 3


def test_an_alias_is_made_and_kept_ready(cast: Cast, model) -> None:
    said = {"alias": "", "name": "staging", "active": "yes"}
    assert browser_of(cast.bob).post(f"{PAGE}1/alias/", said).status_code == 302
    ref = Ref.objects.get(name="staging")
    assert (ref.kind, ref.version.number, ref.active) == ("alias", 1, True)
    taken = browser_of(cast.bob).post(f"{PAGE}2/alias/", said | {"name": "staging"})
    assert taken.status_code == 400  # the page knew of none
    nothing = browser_of(cast.bob).post(f"{PAGE}2/alias/", {"alias": "", "name": ""})
    assert "Name the new alias, or choose one that is there." in said_after(nothing)


def test_a_protected_alias_takes_a_maintainer(cast: Cast, model) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", protected=True))
    response = browser_of(cast.bob).post(f"{PAGE}1/alias/", {"alias": "production@2"})
    assert response.status_code == 403
    assert "it takes the role maintainer" in said_after(response)


def test_an_old_version_is_restored_to_a_branch(cast: Cast, model) -> None:
    client = browser_of(cast.bob)
    response = client.post(f"{PAGE}1/restore/", {"branch": "main@2", "message": "back to the first"}, follow=True)
    assert response.redirect_chain == [(f"{PAGE}3/", 302)]
    assert "v3 on “main” is as v1 was." in said_after(response)
    assert model.versions.get(number=3).message == "back to the first"
    again = client.post(f"{PAGE}1/restore/", {"branch": "main@2"})
    assert again.status_code == 400
    assert "“main” names version 3 now" in said_after(again)
    same = client.post(f"{PAGE}1/restore/", {"branch": "main@3"}, follow=True)
    assert "has the files and the metadata of v1 already, in v3" in said_after(same)


def test_a_metric_is_logged_once(cast: Cast, model) -> None:
    client = browser_of(cast.bob)
    assert client.post(f"{PAGE}1/log/", {"name": "accuracy", "value": "0.97", "step": ""}).status_code == 302
    again = client.post(f"{PAGE}1/log/", {"name": "accuracy", "value": "0.98", "step": ""})
    assert "“accuracy” is 0.97 already, and what was logged does not change." in said_after(again)
    assert "not a finite number" in said_after(client.post(f"{PAGE}1/log/", {"name": "x", "value": "nan"}))
    assert client.post(f"{PAGE}1/log/", {"name": "x", "value": "1", "step": str(2**70)}).status_code == 400
    assert client.post(f"{PAGE}1/log/", {"name": "gpu", "value": "A100"}).status_code == 302
    assert set(model.versions.get(number=1).metrics.values_list("name", flat=True)) == {"accuracy", "gpu"}


def test_a_version_is_deprecated_and_that_is_taken_back(cast: Cast, model) -> None:
    client = browser_of(cast.carol)
    response = client.post(f"{PAGE}1/deprecate/", {"reason": "mislabelled scans"}, follow=True)
    assert "v1 is deprecated." in said_after(response)
    assert "mislabelled scans" in text_of(shown(cast.dave, f"{PAGE}1/"))
    assert client.post(f"{PAGE}1/deprecate/", {"reason": " "}).status_code == 400
    response = client.post(f"{PAGE}1/deprecate/", {"take_back": "1"}, follow=True)
    assert "v1 is not deprecated any more." in said_after(response)
    assert "mislabelled scans" not in said_after(response).partition("What happened")[0]


def test_a_version_goes_to_the_trash_and_comes_back(cast: Cast, model) -> None:
    client = browser_of(cast.carol)
    kept = client.post(f"{PAGE}2/delete/")
    assert kept.status_code == 400
    assert "Move or delete these names first." in said_after(kept)
    response = client.post(f"{PAGE}1/delete/", follow=True)
    assert response.status_code == 404
    assert "v1 is in the trash" in said_after(response)
    assert "trash" not in text_of(shown(cast.dave, f"{PAGE}1/", 404))
    assert browser_of(cast.bob).post(f"{PAGE}1/take-back/").status_code == 403
    response = client.post(f"{PAGE}1/take-back/", follow=True)
    assert "v1 is back." in said_after(response)
    assert client.post(f"{PAGE}1/take-back/", follow=True).status_code == 200  # and says that it is not there


def test_a_parent_in_the_trash_is_no_link(cast: Cast, model) -> None:
    trash.delete(actor=cast.carol, row=model.versions.get(number=1))
    page = shown(cast.dave, f"{PAGE}2/")
    assert "v1 (in the trash)" in page
    assert f'href="{PAGE}1/"' not in page


def test_coming_to_an_action_by_its_address_shows_the_version(cast: Cast, model) -> None:
    for action in ("tag", "branch", "alias", "restore", "log", "deprecate", "delete", "take-back"):
        response = browser_of(cast.dave).get(f"{PAGE}2/{action}/")
        assert (response.status_code, response.url) == (302, f"{PAGE}2/")


def test_deleting_an_alias_is_part_of_the_story(cast: Cast, model) -> None:
    refs.delete_ref(actor=cast.carol, model=model, kind="alias", name="production", comment="retired")
    text = text_of(shown(cast.dave, f"{PAGE}2/"))
    assert "carol alias production deleted" in text
    assert "retired" in text
