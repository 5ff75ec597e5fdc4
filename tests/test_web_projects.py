"""A project's first page, its metrics side by side, and the forms for new projects and models."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from registry.models import Project, RegisteredModel
from registry.services import trash
from registry.services.metrics import Measured
from registry.services.projects import create_project, update_project
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model
from tests.cast import Cast, publish
from tests.reading import browser_of

pytestmark = pytest.mark.django_db

HOSTILE = ["<script>alert(1)</script>", "a\0b", "é", "../etc", " ", "x" * 10_000, "-", "Admin"]


def visit(user: Any, address: str, *, status: int = 200, **said: Any) -> Any:
    response = browser_of(user).get(address, said)
    assert response.status_code == status
    return response


def post(user: Any, address: str, **said: str) -> Any:
    return browser_of(user).post(address, said)


def words_of(response: Any) -> str:
    """The words of a page, however its parts are divided."""
    apart = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r" (?=[,.])", "", " ".join(html.unescape(apart).split()))


def measured(**values: float | str) -> list[Measured]:
    return [Measured(name, value) for name, value in values.items()]


# --- The first page


def test_models_are_shown_with_what_they_stand_at(cast: Cast) -> None:
    model = create_model(actor=cast.alice, project=cast.project, name="resnet", description="Deep residuals")
    publish(cast.bob, model, {"w": b"1"}, message="first")
    publish(
        cast.bob,
        model,
        {"w": b"2"},
        message="Wider\n\nbody",
        metrics=measured(accuracy=0.97, loss=0.1),
        alias="staging",
    )
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1"))
    page = visit(cast.dave, "/vision/")
    words = words_of(page)
    assert "resnet production staging Deep residuals v2 Wider by bob, just now" in words
    assert "accuracy 0.97 loss 0.1" in words
    assert "Members a alice c carol b bob d dave" in words
    assert "Recent versions resnet v2 Wider" in words
    assert 'href="/vision/resnet/versions/1/"' in page.content.decode()  # the alias leads to its version


def test_strangers_see_a_public_project_without_its_members(cast: Cast) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility="public")
    publish(cast.alice, cast.model(), {"w": b"1"})
    for user in (None, cast.charlie):
        page = words_of(visit(user, "/vision/"))
        assert "classifier" in page
        assert "Members" not in page
        assert "New model" not in page
        assert "How to publish" not in page


def test_an_empty_project_says_the_next_step_to_whom_it_helps(cast: Cast) -> None:
    assert 'lmvp.publish("vision/my-model"' in words_of(visit(cast.bob, "/vision/"))
    assert "Ask a maintainer" in words_of(visit(cast.dave, "/vision/"))
    update_project(actor=cast.alice, project=cast.project, visibility="public")
    assert "Sign in if you are a member" in words_of(visit(None, "/vision/"))


def test_models_are_filtered_by_kind_and_by_letters(cast: Cast) -> None:
    for name, kind in (("scenes", "dataset"), ("defaults", "config"), ("resnet", "model")):
        create_model(actor=cast.alice, project=cast.project, name=name, kind=kind, description=f"about {name}")

    def names(**said: str) -> list[str]:
        return [line.model.name for line in visit(cast.dave, "/vision/", **said).context["lines"]]

    assert names() == ["resnet", "defaults", "scenes"]  # the last changed first
    assert names(kind="dataset") == ["scenes"]
    assert names(kind="<script>") == ["resnet", "defaults", "scenes"]
    assert names(q="ABOUT s") == ["scenes"]
    assert names(q="nothing") == []
    assert "Nothing found" in words_of(visit(cast.dave, "/vision/", q="<b>nothing"))
    assert "All 3 Models 1 Datasets 1 Configs 1" in words_of(visit(cast.dave, "/vision/"))


def test_what_is_in_the_trash_is_not_shown(cast: Cast) -> None:
    model = cast.model("thrown-away")
    publish(cast.alice, model, {"w": b"1"})
    trash.delete(actor=cast.alice, row=model)
    assert "thrown-away" not in words_of(visit(cast.alice, "/vision/"))
    assert "thrown-away" not in words_of(visit(cast.alice, "/vision/-/metrics/"))


def test_a_former_name_leads_to_the_project(cast: Cast) -> None:
    update_project(actor=cast.alice, project=cast.project, name="seeing")
    assert visit(cast.dave, "/vision/?kind=model", status=301).url == "/seeing/?kind=model"
    assert visit(cast.dave, "/vision/-/metrics/", status=301).url == "/seeing/-/metrics/"


def test_project_pages_ask_as_often_for_many_models_as_for_few(cast: Cast, django_assert_num_queries) -> None:
    client = browser_of(cast.dave)

    def fill(numbers: range) -> None:
        for number in numbers:
            model = cast.model(f"m-{number}")
            for version in range(3):
                values = measured(accuracy=version / 10, loss=1.0, name="text")
                publish(cast.bob, model, {"w": b"%d" % version}, alias="production", metrics=values)

    fill(range(2))
    client.get("/vision/")
    with django_assert_num_queries(12) as few:
        client.get("/vision/")
    with django_assert_num_queries(11) as few_metrics:
        client.get("/vision/-/metrics/")
    fill(range(2, 9))
    with django_assert_num_queries(len(few)):
        client.get("/vision/")
    with django_assert_num_queries(len(few_metrics)):
        client.get("/vision/-/metrics/")


def test_many_models_come_by_pages(cast: Cast) -> None:
    rows = [RegisteredModel(project=cast.project, name=f"m-{number}", created_by=cast.alice) for number in range(45)]
    RegisteredModel.objects.bulk_create(rows)
    page = visit(cast.dave, "/vision/", kind="model")
    assert len(page.context["lines"]) == 40
    assert 'href="?kind=model&amp;page=2"' in page.content.decode()
    assert len(visit(cast.dave, "/vision/", page="2").context["lines"]) == 5
    assert visit(cast.dave, "/vision/", page="3").context["lines"] == []
    visit(cast.dave, "/vision/", page="<script>", status=400)


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "x" * 10_000])
def test_what_people_wrote_is_text(cast: Cast, said: str) -> None:
    update_project(actor=cast.alice, project=cast.project, description=said[:2000])
    model = create_model(actor=cast.alice, project=cast.project, name="m", description=said[:2000])
    values = [Measured(said[:200], said[:1000]), Measured("plain", 1.0)]
    publish(cast.alice, model, {"w": b"1"}, message=said, metrics=values)
    for address in ("/vision/", "/vision/-/metrics/"):
        content = visit(cast.dave, address).content.decode()
        assert "<script>alert" not in content
        assert len(content) < 60_000


# --- Metrics side by side


def test_metrics_show_the_newest_the_best_and_the_way(cast: Cast) -> None:
    model = cast.model()
    for accuracy, loss in ((0.5, 0.9), (0.9, 0.3), (0.8, 0.2)):
        values = measured(accuracy=accuracy, loss=loss, optimizer="adamw")
        publish(cast.bob, model, {"w": str(accuracy).encode()}, metrics=values)
    publish(cast.bob, cast.model("plain"), {"w": b"1"})
    page = visit(cast.dave, "/vision/-/metrics/")
    words = words_of(page)
    assert "0.8 highest 0.9 in v2" in words
    assert "0.2 lowest so far" in words
    assert "adamw" in words
    assert 'aria-label="The last 3 versions: from 0.5 to 0.8, lowest 0.5, highest 0.9"' in page.content.decode()
    assert "plain" not in words  # without metrics there is no row


def test_metrics_are_those_of_the_newest_version_that_has_some(cast: Cast) -> None:
    merged, other = cast.model("merged"), cast.model("other")
    for model in (merged, other):
        for accuracy in (0.9, 0.8):
            publish(cast.bob, model, {"w": str(accuracy).encode()}, metrics=measured(accuracy=accuracy))
    publish(cast.bob, merged, {"w": b"both"}, message="merged, and not yet measured")
    words = words_of(visit(cast.dave, "/vision/-/metrics/"))
    assert "merged, and not yet measured Metrics of v2 0.8 highest 0.9 in v1" in words
    assert words.count("Metrics of v2") == 1
    publish(cast.bob, merged, {"w": b"best"}, metrics=measured(accuracy=0.95))
    publish(cast.bob, merged, {"w": b"card"})
    assert "Metrics of v4 0.95 highest so far" in words_of(visit(cast.dave, "/vision/-/metrics/"))


def test_models_without_metrics_are_not_asked_one_by_one(cast: Cast, django_assert_num_queries) -> None:
    def fill(numbers: range) -> None:
        for number in numbers:
            model = cast.model(f"m-{number}")
            publish(cast.bob, model, {"w": b"1"}, metrics=measured(accuracy=0.5))
            publish(cast.bob, model, {"w": b"2"})
            publish(cast.bob, cast.model(f"d-{number}"), {"w": b"1"})

    client = browser_of(cast.dave)
    fill(range(2))
    client.get("/vision/-/metrics/")
    with django_assert_num_queries(15) as few:
        client.get("/vision/-/metrics/")
    fill(range(2, 9))
    with django_assert_num_queries(len(few)):
        client.get("/vision/-/metrics/")


def test_which_metrics_are_shown_can_be_chosen(cast: Cast) -> None:
    values = measured(**{f"metric-{number:02}": float(number) for number in range(20)})
    publish(cast.bob, cast.model(), {"w": b"1"}, metrics=values)
    assert len(visit(cast.dave, "/vision/-/metrics/").context["columns"]) == 4
    chosen = visit(cast.dave, "/vision/-/metrics/?metric=metric-07&metric=metric-03&metric=unknown&metric=metric-07")
    assert chosen.context["columns"] == ["metric-07", "metric-03"]
    every = "&".join(f"metric={value.name}" for value in values)
    assert len(visit(cast.dave, f"/vision/-/metrics/?{every}").context["columns"]) == 12


def test_without_metrics_the_page_says_how_to_log_some(cast: Cast) -> None:
    assert "metrics={" in words_of(visit(cast.bob, "/vision/-/metrics/"))
    assert "once contributors log metrics" in words_of(visit(cast.dave, "/vision/-/metrics/"))


def test_a_version_in_the_trash_is_not_the_best(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"w": b"1"}, metrics=measured(accuracy=0.9))
    best = publish(cast.bob, model, {"w": b"2"}, metrics=measured(accuracy=0.99), branch="side")
    publish(cast.bob, model, {"w": b"3"}, metrics=measured(accuracy=0.8), branch="main")
    set_ref(actor=cast.alice, model=model, move=Move("branch", "side", "1"))
    trash.delete(actor=cast.alice, row=best)
    assert "highest 0.9 in v1" in words_of(visit(cast.dave, "/vision/-/metrics/"))


# --- Something new


def test_a_project_is_made_and_its_page_says_so(cast: Cast) -> None:
    client = browser_of(cast.charlie)
    response = client.post("/projects/new/", {"name": "rovers", "description": "Nightly", "visibility": "internal"})
    assert response.url == "/rovers/"
    assert "rovers is there." in words_of(client.get("/rovers/"))
    made = Project.objects.get(name="rovers")
    assert (made.visibility, made.description, made.created_by) == ("internal", "Nightly", cast.charlie)


def test_a_model_is_made_by_contributors_alone(cast: Cast) -> None:
    said = {"name": "scenes", "kind": "dataset", "description": "Street scenes"}
    assert post(cast.dave, "/vision/-/models/new/", **said).status_code == 403
    assert post(cast.charlie, "/vision/-/models/new/", **said).status_code == 404
    assert post(None, "/vision/-/models/new/", **said).url.startswith("/login/?next=")
    assert not RegisteredModel.objects.exists()
    assert post(cast.bob, "/vision/-/models/new/", **said).url == "/vision/scenes/"
    made = RegisteredModel.objects.get()
    assert (made.name, made.kind, made.description, made.created_by) == ("scenes", "dataset", "Street scenes", cast.bob)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("address", "more"), [("/projects/new/", {"visibility": "private"}), ("/vision/-/models/new/", {"kind": "model"})]
)
def test_a_wrong_name_is_refused_beside_its_field(cast: Cast, address: str, more: dict[str, str], name: str) -> None:
    if name == "Admin" and "models" in address:
        pytest.skip("a good name for a model")
    page = post(cast.alice, address, name=name, **more)
    assert page.status_code == 400
    content = page.content.decode()
    assert "<script>alert" not in content
    assert re.search(r'<ul class="errorlist"[^>]*id="id_name_error"', content)
    assert 'aria-invalid="true"' in content
    assert Project.objects.count() == 1
    assert not RegisteredModel.objects.exists()


def test_a_name_that_is_taken_is_refused_beside_its_field(cast: Cast) -> None:
    create_project(actor=cast.charlie, name="rovers")
    cast.model("scenes")
    page = words_of(post(cast.alice, "/projects/new/", name="rovers", description="What I wrote", visibility="public"))
    assert "The name “rovers” is taken." in page
    assert "What I wrote" in page
    assert "has a model of the name “SCENES”" in words_of(
        post(cast.alice, "/vision/-/models/new/", name="SCENES", kind="model")
    )


def test_a_visibility_or_kind_that_is_none_is_refused(cast: Cast) -> None:
    assert post(cast.alice, "/projects/new/", name="rovers", visibility="secret").status_code == 400
    assert (
        post(cast.alice, "/projects/new/", name="rovers", visibility="private", description="x" * 2001).status_code
        == 400
    )
    assert post(cast.alice, "/vision/-/models/new/", name="rovers", kind="thing").status_code == 400
    assert not Project.objects.filter(name="rovers").exists()
