"""Several who add at once take no more room together than there is, and none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.errors import Refusal
from accounts.models import User
from registry.models import Blob, RegisteredModel, Upload
from registry.services import room
from registry.services.announcing import Wanted, announce
from registry.services.projects import create_project
from registry.services.registered_models import create_model, update_model
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, make_cast, publish, send
from tests.housekeeping import digest_of
from tests.quotas import ask, held, held_by, set_quota_unasked
from tests.test_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("postgresql")]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def asker(user: User, model: RegisteredModel, number: int) -> Callable[[], str]:
    def ask_and_tell() -> str:
        ask(user, model, bytes([number]) * 100)
        return "in"

    return ask_and_tell


def codes(answers: list[Any]) -> list[str]:
    return sorted(answer.code if isinstance(answer, Refusal) else str(answer) for answer in answers)


def test_of_many_announcements_as_many_go_in_as_fit(cast: Cast, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 350
    model = cast.model()
    answers = at_once(*[asker(user, model, n) for n, user in enumerate([cast.bob, cast.carol] * 4)])
    assert codes(answers) == ["in"] * 3 + ["quota_exceeded"] * 5
    assert held(cast.project) == 300


def test_of_many_announcements_of_one_user_to_two_projects(cast: Cast, settings: Any) -> None:
    settings.LMVP_USER_QUOTA = 350
    other = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="speech"), name="m")
    models = [cast.model(), other] * 4
    answers = at_once(*[asker(cast.bob, model, n) for n, model in enumerate(models)])
    assert codes(answers) == ["in"] * 3 + ["quota_exceeded"] * 5
    assert held_by(cast.bob) == 300


def test_of_many_publishers_by_digest_as_many_go_in_as_fit(cast: Cast) -> None:
    other = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="speech"), name="m")
    publish(cast.bob, other, {str(n): bytes([n]) * 100 for n in range(6)})
    set_quota_unasked(cast.project, 250)
    models = [cast.model(f"m{n}") for n in range(6)]
    for model in models:
        model.project.refresh_from_db()

    def publisher(n: int) -> Callable[[], bool]:
        publication = Publication(files=[File("a", digest_of(bytes([n]) * 100))])
        return lambda: publish_version(actor=cast.bob, model=models[n], publication=publication)[1]

    answers = at_once(*map(publisher, range(6)))
    assert codes(answers) == ["True"] * 2 + ["quota_exceeded"] * 4
    assert held(cast.project) == 200


def test_publishers_announcers_and_those_who_change_the_model_do_not_wait_in_a_circle(
    cast: Cast, settings: Any
) -> None:
    settings.LMVP_PROJECT_QUOTA = 10**9
    settings.LMVP_USER_QUOTA = 10**9
    model = cast.model()
    digests = [send(cast.bob, model, bytes([n]) * 7) for n in range(6)]

    def publisher(digest: str) -> Callable[[], str]:
        publication = Publication(files=[File(digest[:6], digest)])
        return lambda: str(publish_version(actor=cast.bob, model=model, publication=publication)[1])

    def changer(n: int) -> Callable[[], str]:
        return lambda: update_model(actor=cast.alice, model=model, description=str(n)).name

    calls = [call for n, digest in enumerate(digests) for call in (publisher(digest), changer(n))]
    answers = at_once(*calls, *[asker(cast.bob, model, n) for n in range(4)])
    assert codes(answers) == ["True"] * 6 + ["classifier"] * 6 + ["in"] * 4
    assert Blob.objects.count() == 6


def test_of_many_announcers_as_many_get_room_on_the_disk_as_there_is(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 100 + room.SPARE_BYTES)
    model = cast.model()

    def announcer(number: int) -> Callable[[], int]:
        files = [Wanted(30, digest_of(bytes([number])))]
        return lambda: len(announce(actor=cast.bob, model=model, files=files))

    assert codes(at_once(*map(announcer, range(10)))) == ["1"] * 3 + ["storage_full"] * 7
    assert Upload.objects.bytes_to_come() == 90
    assert Upload.objects.count() == 3
