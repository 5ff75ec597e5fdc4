"""The first page: what happened in one's projects, those projects, what others show; and the welcome for nobody yet."""

from __future__ import annotations

import pytest
from django.test import Client

from registry.models import Version
from registry.services import trash
from registry.services.projects import create_project, update_project
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.registered_models import create_model
from registry.services.rollbacks import roll_back
from registry.web.news import news_of
from tests.cast import Cast, make_user, publish
from tests.test_pages import text_of

pytestmark = pytest.mark.django_db


def home(user=None) -> str:
    client = Client()
    if user:
        client.force_login(user)
    response = client.get("/")
    assert response.status_code == 200
    return text_of(response)


def test_nobody_is_told_what_this_is_and_sees_public_models_alone(cast: Cast) -> None:
    publish(cast.alice, cast.model("hidden-classifier"), {"w": b"1"})
    open_project = create_project(actor=cast.charlie, name="open", visibility="public")
    publish(cast.charlie, create_model(actor=cast.charlie, project=open_project, name="tiny"), {"w": b"1"})
    page = home()
    assert "The models your team trains, kept." in page
    assert "import lmvp" in page
    assert "open/tiny" in page
    assert "hidden-classifier" not in page


def test_what_happened_is_told_in_sentences(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"w": b"1"}, message="Wider\n\nAnd the body")
    publish(cast.alice, model, {"w": b"2"}, message="Deeper", alias="staging")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1", comment="Better on the test set"))
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2", comment="Faster"))
    set_ref(actor=cast.alice, model=model, move=Move("tag", "release-1", "1"))
    page = home(cast.dave)
    for sentence in (
        "bob published v1 of vision/classifier",
        "Wider",
        "alice published v2 of vision/classifier staging",
        "set production of vision/classifier to v1",
        "Better on the test set",
        "moved production of vision/classifier from v1 to v2",
        "alice tagged v1 of vision/classifier as release-1",
    ):
        assert sentence in page
    assert "And the body" not in page
    assert page.index("tagged") < page.index("moved production") < page.index("published v2") < page.index("Wider")


def test_a_rollback_and_a_name_set_again_are_told_as_what_they_are(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"w": b"1"})
    publish(cast.alice, model, {"w": b"2"})
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1"))
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2"))
    roll_back(actor=cast.bob, model=model, name="production", comment="Too slow")
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2"))
    page = home(cast.dave)
    assert "bob rolled back production of vision/classifier from v2 to v1" in page
    assert "carol removed production of vision/classifier" in page


def test_many_versions_in_a_row_are_one_line(cast: Cast) -> None:
    model = cast.model()
    for number in range(5):
        publish(cast.bob, model, {"w": b"%d" % number}, message=f"trial {number}")
    page = home(cast.alice)
    assert "bob published 5 versions of vision/classifier, v1 to v5" in page
    assert "trial 4" in page
    assert "trial 3" not in page


def test_outsider_is_told_nothing_of_others(cast: Cast) -> None:
    publish(cast.alice, cast.model(), {"w": b"1"}, message="Secret", alias="production")
    page = home(cast.charlie)
    assert "vision" not in page
    assert "Secret" not in page
    assert "Nothing was published yet" in page
    assert "charlie/my-model" in page  # the next step


def test_what_is_in_the_trash_is_not_told(cast: Cast) -> None:
    model, other = cast.model(), cast.model("other")
    publish(cast.alice, model, {"w": b"1"}, message="kept")
    second = publish(cast.alice, model, {"w": b"2"}, message="thrown away", branch="side")
    publish(cast.alice, other, {"w": b"3"}, message="of a deleted model")
    delete_ref(actor=cast.alice, model=model, kind="branch", name="side")
    trash.delete(actor=cast.alice, row=second)
    trash.delete(actor=cast.alice, row=other)
    page = home(cast.alice)
    assert "kept" in page
    assert "thrown away" not in page
    assert "of a deleted model" not in page


def test_models_that_others_show_are_there_and_mine_are_not(cast: Cast) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility="internal")
    publish(cast.alice, cast.model("shared"), {"w": b"1"})
    assert "Also here vision/shared" in home(cast.charlie)
    assert "Also here vision/shared" not in home(cast.alice)


def test_projects_are_shown_with_role_and_number_of_models_the_last_changed_first(cast: Cast) -> None:
    create_project(actor=cast.alice, name="quiet")
    publish(cast.alice, cast.model(), {"w": b"1"})
    page = home(cast.alice)
    assert page.index("vision owner 1 model · changed") < page.index("quiet owner 0 models · made")
    for number in range(8):
        create_project(actor=cast.alice, name=f"more-{number}")
    page = home(cast.alice)
    assert "5 more projects" in page  # with the personal one they are eleven
    assert "vision" in page


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "x" * 10_000, "&amp;<b>"])
def test_what_people_wrote_is_text(cast: Cast, said: str) -> None:
    update_project(actor=cast.alice, project=cast.project, description=said[:2000])
    model = create_model(actor=cast.alice, project=cast.project, name="m", description=said[:2000])
    publish(cast.alice, model, {"w": b"1"}, message=said)
    set_ref(actor=cast.alice, model=model, move=Move("alias", "production", "1", comment=said[:1000]))
    client = Client()
    client.force_login(cast.alice)
    content = client.get("/").content.decode()
    assert "<script>alert" not in content
    assert "<b>" not in content
    assert len(content) < 40_000


def test_home_asks_as_often_for_many_as_for_few(cast: Cast, django_assert_num_queries) -> None:
    client = Client()
    client.force_login(cast.alice)

    def fill(numbers: range) -> None:
        for number in numbers:
            model = cast.model(f"model-{number}")
            for version in range(3):
                publish(cast.bob, model, {"w": b"%d" % version}, alias="production")
            project = create_project(actor=cast.charlie, name=f"open-{number}", visibility="public")
            theirs = create_model(actor=cast.charlie, project=project, name="theirs")
            publish(cast.charlie, theirs, {"w": b"1"}, alias="production")

    fill(range(2))
    client.get("/")
    with django_assert_num_queries(12) as few:
        client.get("/")
    fill(range(2, 8))
    with django_assert_num_queries(len(few)):
        client.get("/")
    nobody = Client()
    with django_assert_num_queries(3):  # newest models, their heads; figures are none
        nobody.get("/")


def test_the_news_are_read_from_the_newest_of_each_model_alone(cast: Cast, django_assert_max_num_queries) -> None:
    for name in ("a", "b"):
        model = cast.model(name)
        for version in range(4):
            publish(cast.bob if version % 2 else cast.alice, model, {"w": b"%d" % version})
    with django_assert_max_num_queries(6):
        news = news_of([cast.project])
    told = [version.pk for one in news for version in one.versions]
    assert told == list(Version.objects.order_by("-pk").values_list("pk", flat=True))


def test_a_user_who_is_new_has_a_place_to_begin(db: None) -> None:
    page = home(make_user("nadia"))
    assert "nadia owner" in page
    assert "make a model in nadia" in page
