"""The audit log is complete: at every door, what writes leaves a line, and what cannot be told does not happen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import Error, connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services.access_tokens import create_access_token
from tests.cast import Cast, client_of
from tests.test_doors import ACCOUNT_DOORS, DOORS, Door, Place, knock, place  # noqa: F401 - a fixture

# What may be written without a line, and why.
UNTOLD = {
    "registry_event": "the log itself",
    "registry_upload": "bytes on their way: nobody sees them before a version is published, and that is told",
    "registry_blob": "likewise",
    "registry_tree": "likewise",
    "lmvp_cache": "counters of throttles",
    "django_session": "a browser's session; that it began is told",
}
WRITTEN = re.compile(r'^(?:INSERT(?: OR IGNORE)? INTO|UPDATE|DELETE FROM) "(\w+)"')


def written(queries: CaptureQueriesContext) -> set[str]:
    """The tables that were written."""
    return {found[1] for query in queries.captured_queries if (found := WRITTEN.match(query["sql"]))}


@contextmanager
def no_line_can_be_written() -> Iterator[None]:
    """Let the database refuse every line, as a full disk would."""
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if sqlite:
            cursor.execute("CREATE TRIGGER mute BEFORE INSERT ON registry_event BEGIN SELECT RAISE(ABORT, 'mute'); END")
        else:
            cursor.execute(
                "CREATE FUNCTION mute() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'mute' USING ERRCODE = 'integrity_constraint_violation'; END $$"
            )
            cursor.execute("CREATE TRIGGER mute BEFORE INSERT ON registry_event EXECUTE FUNCTION mute()")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER mute" if sqlite else "DROP FUNCTION mute CASCADE")


def rows() -> dict[str, list[dict[str, Any]]]:
    """All rows that may not change without a line."""
    models = [*apps.get_app_config("registry").get_models(), *apps.get_app_config("accounts").get_models(), Group]
    told = [model for model in models if model._meta.db_table not in UNTOLD]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in told}


def check(call: Callable[[], HttpResponse]) -> set[int]:
    """Make a call for which no line can be written, then with one; return how they were answered."""
    before, answers = rows(), set[int]()
    with no_line_can_be_written(), suppress(Error):
        answers.add(call().status_code)
    assert rows() == before, "something was written of which no line tells"
    with CaptureQueriesContext(connection) as queries:
        answers.add(call().status_code)
    assert "registry_event" in written(queries) or not written(queries) - UNTOLD.keys()
    return answers


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.operation} {door.body or ''}")
def test_doors_of_the_registry(place: Place, door: Door) -> None:  # noqa: F811
    assert door.answers["alice"] in check(lambda: knock(client_of(place.cast.alice), place, door))


@pytest.mark.parametrize("door", ACCOUNT_DOORS, ids=lambda door: f"{door.operation} {door.body or ''}")
def test_doors_of_the_accounts(cast: Cast, door: Door) -> None:
    token, _ = create_access_token(actor=cast.carol, name="hers", scope="read")
    User.objects.filter(pk=cast.carol.pk).update(is_staff=True, is_superuser=True)
    client = client_of(User.objects.get(pk=cast.carol.pk))
    url = door.route.replace("<int:pk>", str(token.pk)).replace("<slug:username>", "dave")
    check(lambda: getattr(client, door.method.lower())(url, door.body, format="json"))
