"""The activity page: the audit log as sentences that lead to what they name, filtered by who, what, to what and when."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from registry.models import Event
from registry.services import events
from registry.services.projects import update_project
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model
from tests.cast import Cast, publish
from tests.reading import browser_of, text_of
from tests.test_web_members import queries_of

pytestmark = pytest.mark.django_db
ACTIVITY = "/vision/-/activity/"


@pytest.fixture
def busy(cast: Cast) -> Cast:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, message="First", alias="production")
    publish(cast.bob, model, {"a": b"2"}, message="Second")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2", comment="<script>alert(1)</script>"))
    return cast


def test_lines_read_as_sentences_that_lead_somewhere(busy: Cast) -> None:
    answer = browser_of(busy.carol).get(ACTIVITY)
    page = answer.content.decode()
    assert "bob published classifier v2 on main" in text_of(answer)
    assert "alice added dave as viewer" in text_of(answer)
    assert '<a href="/vision/classifier/versions/2/">classifier v2</a>' in page
    assert '<a href="/vision/classifier/">classifier</a>' in page
    assert "<script>alert" not in page
    assert "moved the alias production of classifier from v1 to v2: “<script>alert(1)</script>”" in text_of(answer)


def test_a_line_tells_by_which_token_from_where_and_by_which_request(busy: Cast) -> None:
    line = Event.objects.filter(project=busy.project).first()
    fields = {"token": "CI (lmvp_abcd…)", "address": "10.1.2.3", "request_id": "abcdef0123456789"}
    line.pk, line.once = None, None
    Event.objects.bulk_create(
        [
            Event(
                **{
                    **{
                        f: getattr(line, f)
                        for f in ("project", "project_name", "actor", "action", "subject", "before", "after")
                    },
                    **fields,
                }
            )
        ]
    )
    page = text_of(browser_of(busy.carol).get(ACTIVITY))
    for said in fields.values():
        assert said in page


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("actor=bob", "bob published", "moved the alias"),
        ("action=alias.", "moved the alias", "published"),
        ("action=alias.moved", "moved the alias", "set the alias"),
        ("subject=vision/classifier v1", "published classifier v1", "published classifier v2"),
        ("since=2001-01-01", "published", "Nothing of the kind"),
        ("until=2001-01-01", "Nothing of the kind happened", "published"),
    ],
)
def test_lines_are_filtered(busy: Cast, query: str, there: str, not_there: str) -> None:
    page = text_of(browser_of(busy.carol).get(f"{ACTIVITY}?{query}")).partition("Filter ")[2]
    assert there in page
    assert not_there not in page


def test_until_means_the_end_of_its_day(busy: Cast) -> None:
    today = timezone.now().date().isoformat()
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    client = browser_of(busy.carol)
    assert "published" in text_of(client.get(f"{ACTIVITY}?until={today}&since={today}"))
    assert "Nothing of the kind" in text_of(client.get(f"{ACTIVITY}?until={yesterday}"))


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-13-40",
        "action=moon.landed",
        "actor=" + "x" * 10_000,
        "subject=" + "x" * 10_000,
        "action=%3Cscript%3E",
        "since=99999-01-01",
        "before=abc",
        "before=" + "9" * 30,
    ],
)
def test_nonsense_is_said_to_be_nonsense(busy: Cast, query: str) -> None:
    answer = browser_of(busy.carol).get(f"{ACTIVITY}?{query}")
    assert answer.status_code == 400
    assert b"<script>" not in answer.content.replace(b"<script src", b"")


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "subject=%25", "actor=%3Cb%3E", "subject=_"])
def test_odd_questions_have_answers(busy: Cast, query: str) -> None:
    assert browser_of(busy.carol).get(f"{ACTIVITY}?{query}").status_code == 200


def test_the_twin_is_asked_the_same(busy: Cast) -> None:
    client = browser_of(busy.carol)
    page = client.get(f"{ACTIVITY}?action=alias.&actor=carol&since=2001-01-01")
    twin = client.get(page.context["twin"], headers={"accept": "application/json"})
    assert [one["action"] for one in twin.json()["results"]] == ["alias.moved"]


def test_pages_lead_through_a_long_log(busy: Cast) -> None:
    for number in range(60):
        events.record(
            actor=busy.bob, action="metrics.logged", project=busy.project, subject=f"vision/classifier v{number}"
        )
    client = browser_of(busy.carol)
    first = client.get(f"{ACTIVITY}?action=metrics.logged")
    second = client.get(ACTIVITY + first.context["page"].older)
    assert [len(page.context["page"].rows) for page in (first, second)] == [50, 10]
    assert "action=metrics.logged" in first.context["page"].older
    assert client.get(ACTIVITY + second.context["page"].newer).context["page"].rows == first.context["page"].rows


def test_many_lines_take_no_more_queries(busy: Cast) -> None:
    client = browser_of(busy.carol)
    few = queries_of(client, ACTIVITY)
    for number in range(60):
        actor = (busy.alice, busy.bob, busy.carol)[number % 3]
        events.record(
            actor=actor, action="metrics.logged", project=busy.project, subject=f"vision/classifier v{number}"
        )
    assert queries_of(client, ACTIVITY) == few


def test_lines_of_a_renamed_project_lead_to_what_it_is_called_now(busy: Cast) -> None:
    update_project(actor=busy.alice, project=busy.project, name="eyes")
    page = browser_of(busy.carol).get("/eyes/-/activity/").content.decode()
    assert '<a href="/eyes/classifier/versions/2/">' in page
    assert "renamed it from vision to eyes" in page


def test_what_nobody_did_is_the_servers(busy: Cast) -> None:
    rule = {"keep_last": 2, "keep_days": None}
    after = {"until": "2026-12-05T00:00:00", "rule": rule}
    events.record(
        actor=None, action="version.trashed", project=busy.project, subject="vision/classifier v1", after=after
    )
    page = text_of(browser_of(busy.carol).get(ACTIVITY))
    assert (
        "the server put classifier v1 into the trash until 2026-12-05, by the rule to keep the newest 2 versions"
        in page
    )


def test_a_line_as_strange_as_the_log_can_hold_is_shown(busy: Cast) -> None:
    strange = {
        "<b>": ["<script>alert(1)</script>", {"deep": [None] * 50}],
        "version": "x",
        "role": 7,
        "places": "no list",
    }
    for action in ("moon.landed", "alias.moved", "version.trashed", "member.role_set", "x"):
        events.record(actor=None, action=action, project=busy.project, subject="<i>'\"", before=strange, after=strange)
    answer = browser_of(busy.carol).get(ACTIVITY)
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    assert b"<i>" not in answer.content


def test_lines_can_be_shown_on_other_pages_too(busy: Cast) -> None:
    create_model(actor=busy.alice, project=busy.project, name="other", kind="dataset")
    rows = Event.objects.select_related("actor", "project")[:2]
    page = render_to_string("registry/parts/events.html", {"events": rows, "everywhere": True})
    assert "made the dataset" in page
    assert "in vision" in page
    assert json.dumps("dataset").strip('"') in page
