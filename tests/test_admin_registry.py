"""The registry in the admin: what a superuser sees and does there, and what nobody does."""

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.services.access_tokens import create_access_token
from registry.admin import events as admin_events
from registry.admin import versions as admin_versions
from registry.models import Blob, Event, Invitation, Membership, Project, Ref, RegisteredModel, Role, Version
from registry.services.artifacts import record_artifact
from registry.services.members import invite, set_membership
from registry.services.metrics import Measured
from registry.services.projects import create_project
from registry.services.recordings import Recording
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model
from tests.cast import Cast, make_user, publish

TABLES = ["project", "registeredmodel", "version", "ref", "blob", "upload", "event", "hierarchy", "artifact"]
READ_ONLY = ["version", "ref", "blob", "upload", "event", "hierarchy", "artifact"]
FILES = {"weights/a.bin": b"a", "weights/b.bin": b"b", "read me.md": b"# hello"}


@pytest.fixture
def root(db):
    user = make_user("rooty")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def admin(root) -> Client:
    """The client of a superuser who is no member of anything."""
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def version(cast: Cast) -> Version:
    model = cast.model()
    publish(cast.alice, model, {"read me.md": b"old"}, message="first")
    made = publish(
        cast.bob,
        model,
        FILES,
        message="Larger batches\n\nand why",
        metadata={"optimizer": {"name": "<b>adam</b>"}},
        metrics=[Measured("accuracy", 0.875)],
    )
    set_ref(actor=cast.alice, model=model, move=Move("alias", "production", "2", comment="the best so far"))
    invite(actor=cast.alice, project=cast.project, email="erin@example.org", role=Role.VIEWER)
    root = record_artifact(actor=cast.bob, recording=Recording(data={"a": "<b>"}, project="vision"))
    child = Recording(data={}, parent_id=root.pk, version="vision/classifier@2")
    record_artifact(actor=cast.bob, recording=child)
    return made


def list_of(table: str) -> str:
    return reverse(f"admin:registry_{table}_changelist")


def page_of(row) -> str:
    return reverse(f"admin:registry_{row._meta.model_name}_change", args=[row.pk])


def rows_of(table: str) -> list:
    (model,) = [m for m in admin_versions.admin.site._registry if m._meta.label_lower == f"registry.{table}"]
    return list(model.objects.all())


def form_of(client: Client, address: str) -> dict[str, str]:
    """What a browser would send back if nothing were changed on the page."""
    context = client.get(address).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    sent = {bound.html_name: bound.value() for form in forms for bound in form}
    return {name: value for name, value in sent.items() if value is not None and value is not False}


def row_of(client: Client, address: str, row) -> str:
    """The prefix of a row's fields in the inlines of a page."""
    for inline in client.get(address).context["inline_admin_formsets"]:
        for form in inline.formset.initial_forms:
            if form.instance == row:
                return form.prefix
    raise AssertionError(f"{row!r} is not on the page")


def saved(response) -> bool:
    if response.status_code == 200:
        errors = [inline.formset.errors for inline in response.context["inline_admin_formsets"]]
        raise AssertionError((response.context["adminform"].form.errors, errors))
    return response.status_code == 302 and response["Location"] == list_of("project")


def messages_after(client: Client, response) -> str:
    page = client.get(response["Location"])
    return " ".join(str(message) for message in page.context["messages"])


@pytest.mark.parametrize("table", TABLES)
def test_superuser_reads_every_list_and_page(admin, version, table):
    assert admin.get(list_of(table)).status_code == 200
    rows = rows_of(table)
    assert rows
    for row in rows:
        assert admin.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("table", TABLES)
def test_search_and_filters_answer(admin, version, table):
    for query in ("q=vision/classifier", "q=abc1234", "project_name=vis", "project_name=%00", "q=%00"):
        if "project_name" in query and table in ("project", "blob"):
            continue
        assert admin.get(f"{list_of(table)}?{query}").status_code == 200


@pytest.mark.parametrize("table", TABLES)
def test_staff_without_permissions_are_refused(cast, version, table):
    cast.charlie.is_staff = True
    cast.charlie.save()
    client = Client()
    client.force_login(cast.charlie)
    assert client.get(list_of(table)).status_code == 403
    for row in rows_of(table):
        assert client.get(page_of(row)).status_code == 403


@pytest.mark.parametrize("table", READ_ONLY)
def test_nobody_adds_changes_or_deletes_what_is_recorded(admin, version, table):
    before = list(rows_of(table))
    for row in before:
        assert admin.post(page_of(row), {"message": "other", "state": "deleting"}).status_code == 403
        assert admin.post(reverse(f"admin:registry_{table}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert admin.post(reverse(f"admin:registry_{table}_add"), {}).status_code == 403
    admin.post(
        list_of(table),
        {"action": "delete_selected", "_selected_action": [row.pk for row in before], "post": "yes"},
    )
    fields = [field.attname for field in before[0]._meta.concrete_fields]
    assert [[getattr(row, name) for name in fields] for row in rows_of(table)] == [
        [getattr(row, name) for name in fields] for row in before
    ]


@pytest.mark.parametrize("model", [Project, RegisteredModel])
def test_projects_and_models_are_not_deleted_here(admin, version, model):
    row = model.objects.get()
    response = admin.post(reverse(f"admin:registry_{model._meta.model_name}_delete", args=[row.pk]), {"post": "yes"})
    assert response.status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def queries_of(client: Client, address: str) -> int:
    client.get(address)  # what is asked once per process
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("table", TABLES)
def test_lists_cost_as_many_queries_for_many_rows_as_for_few(admin, cast, version, table):
    few = queries_of(admin, list_of(table))
    for number in range(10):
        user = make_user(f"user-{number}")
        set_membership(actor=cast.alice, project=cast.project, user=user, role=Role.OWNER)
        model = create_model(actor=user, project=create_project(actor=user, name=f"project-{number}"), name="digits")
        publish(user, model, {f"{number}.bin": b"%d" % number}, alias="production")
        named = Recording(data={}, project=f"project-{number}", version=f"project-{number}/digits@1")
        record_artifact(actor=user, recording=named)
    assert len(rows_of(table)) > 10
    assert queries_of(admin, list_of(table)) == few


def test_pages_cost_as_many_queries_for_much_as_for_little(admin, cast, version):
    model = version.model
    project, line, one = page_of(cast.project), page_of(model), page_of(version)
    few = [queries_of(admin, address) for address in (project, line, one)]
    for number in range(10):
        user = make_user(f"user-{number}")
        set_membership(actor=cast.alice, project=cast.project, user=user, role=Role.CONTRIBUTOR)
        invite(actor=cast.alice, project=cast.project, email=f"guest-{number}@example.org", role=Role.VIEWER)
        set_ref(actor=user, model=model, move=Move("alias", f"stage-{number}", "2"))
    files = {f"weights/{number}/{name}": b"%d" % number for number in range(10) for name in ("a", "b")}
    measured = [Measured(f"loss-{number}", 0.5) for number in range(30)]
    bigger = publish(cast.bob, model, files, base="empty", metrics=measured)
    assert [queries_of(admin, project), queries_of(admin, line)] == few[:2]
    assert queries_of(admin, page_of(bigger)) == few[2] + 1  # one level of directories more


def test_page_of_a_version_shows_all_about_it(admin, cast, root, version):
    set_membership(actor=cast.alice, project=cast.project, user=root, role=Role.VIEWER)
    page = admin.get(page_of(version))
    content = page.content.decode()
    for shown in ("Larger batches", "&lt;b&gt;adam", "accuracy", "0.875", "alias production", "branch main", ">v1<"):
        assert shown in content
    assert [place.path for place, _ in page.context["files"]] == sorted(FILES)
    for place, address in page.context["files"]:
        assert f'href="{address}"' in content
        assert b"".join(admin.get(address).streaming_content) == FILES[place.path]


def test_files_are_shown_by_pages(admin, cast, version, monkeypatch):
    monkeypatch.setattr(admin_versions, "FILES_PER_PAGE", 3)
    files = [f"{top}/{name}/{number}" for top in "abc" for name in "xy" for number in range(2)]
    many = publish(cast.bob, version.model, dict.fromkeys(files, b"same"), base="empty")
    shown = []
    for number in range(1, 5):
        page = admin.get(f"{page_of(many)}?page={number}")
        assert len(page.context["files"]) == 3
        shown += [place.path for place, _ in page.context["files"]]
    assert shown == files


def test_downloads_follow_the_roles_of_the_project(admin, version):
    page = admin.get(page_of(version))
    assert "join it" in page.content.decode()
    assert {address for _, address in page.context["files"]} == {""}


def test_page_of_a_ref_shows_its_moves(admin, cast, version):
    set_ref(actor=cast.carol, model=version.model, move=Move("alias", "production", "1", comment="it was too slow"))
    page = admin.get(page_of(Ref.objects.get(name="production")))
    assert [
        (move.actor, move.from_version and move.from_version.number, move.to_version.number, move.comment)
        for move in page.context["moves"]
    ] == [(cast.carol, 2, 1, "it was too slow"), (cast.alice, None, 2, "the best so far")]
    assert "it was too slow" in page.content.decode()


def test_page_of_a_blob_shows_where_it_occurs(admin, version):
    blob = Blob.objects.get(size=len(b"# hello"))
    assert [place.path for place in admin.get(page_of(blob)).context["occurrences"]] == ["read me.md"]
    found = admin.get(f"{list_of('blob')}?q={blob.sha256[:9]}").context["cl"].result_list
    assert list(found) == [blob]


def test_filter_by_project_and_search_find_the_version(admin, cast, version):
    other = create_model(actor=cast.alice, project=create_project(actor=cast.alice, name="speech"), name="classifier")
    publish(cast.alice, other, {"a": b"a"})
    for query in ("project_name=vision", "q=vision/classifier"):
        found = admin.get(f"{list_of('version')}?{query}").context["cl"].result_list
        assert {row.model for row in found} == {version.model}
    for query in (f"q={version.digest[:10]}", "q=batches"):
        assert list(admin.get(f"{list_of('version')}?{query}").context["cl"].result_list) == [version]


def test_superuser_adds_a_member_to_any_project(admin, cast, root):
    address = page_of(cast.project)
    form = form_of(admin, address)
    form |= {"memberships-2-0-user": cast.charlie.pk, "memberships-2-0-role": Role.MAINTAINER}
    assert saved(admin.post(address, form))
    assert Membership.objects.get(project=cast.project, user=cast.charlie).role == Role.MAINTAINER
    event = Event.objects.first()
    assert (event.actor, event.action, event.subject) == (root, "member.role_set", "charlie")
    assert (event.project, event.before, event.after) == (cast.project, None, {"role": "maintainer"})


def test_superuser_changes_a_role_and_removes_a_member(admin, cast):
    address = page_of(cast.project)
    bob, dave = (Membership.objects.get(project=cast.project, user=user) for user in (cast.bob, cast.dave))
    form = form_of(admin, address)
    form |= {f"{row_of(admin, address, bob)}-role": Role.OWNER, f"{row_of(admin, address, dave)}-DELETE": "on"}
    assert saved(admin.post(address, form))
    bob.refresh_from_db()
    assert bob.role == Role.OWNER
    assert not Membership.objects.filter(pk=dave.pk).exists()
    assert [event.action for event in Event.objects.all()[:2]] == ["member.removed", "member.role_set"]


@pytest.mark.parametrize("change", [{"DELETE": "on"}, {"role": Role.VIEWER}])
def test_the_last_owner_stays_and_nothing_else_is_saved(admin, cast, change):
    address = page_of(cast.project)
    prefix = row_of(admin, address, Membership.objects.get(project=cast.project, user=cast.alice))
    events = Event.objects.count()
    form = form_of(admin, address) | {f"{prefix}-{name}": value for name, value in change.items()}
    response = admin.post(address, form | {"description": "half of it"})
    assert "keeps at least one owner" in messages_after(admin, response)
    assert Membership.objects.get(project=cast.project, user=cast.alice).role == Role.OWNER
    assert (Event.objects.count(), Project.objects.get(pk=cast.project.pk).description) == (events, "")


def test_ownership_is_handed_on_in_one_go(admin, cast):
    address = page_of(cast.project)
    prefix = row_of(admin, address, Membership.objects.get(project=cast.project, user=cast.alice))
    form = form_of(admin, address) | {f"{prefix}-DELETE": "on"}
    form |= {"memberships-2-0-user": cast.charlie.pk, "memberships-2-0-role": Role.OWNER}
    assert saved(admin.post(address, form))
    owners = Membership.objects.filter(project=cast.project, role=Role.OWNER)
    assert [owner.user for owner in owners] == [cast.charlie]


def test_an_unverified_user_becomes_no_member(admin, cast):
    erin = make_user("erin", verified=False)
    address = page_of(cast.project)
    form = form_of(admin, address) | {"memberships-2-0-user": erin.pk, "memberships-2-0-role": Role.VIEWER}
    assert "no user “erin”" in messages_after(admin, admin.post(address, form))
    assert not erin.memberships.exists()


def test_superuser_withdraws_an_invitation(admin, cast, version):
    address = page_of(cast.project)
    invitation = Invitation.objects.get()
    form = form_of(admin, address) | {f"{row_of(admin, address, invitation)}-DELETE": "on"}
    assert saved(admin.post(address, form))
    assert not Invitation.objects.exists()
    assert (Event.objects.first().action, Event.objects.first().subject) == ("invitation.withdrawn", "erin@example.org")


def test_superuser_makes_and_changes_a_project(admin, cast, root):
    add = reverse("admin:registry_project_add")
    form = form_of(admin, add) | {"name": "speech", "description": "It talks.", "visibility": "internal"}
    assert saved(admin.post(add, form | {"memberships-0-user": cast.bob.pk, "memberships-0-role": Role.CONTRIBUTOR}))
    project = Project.objects.get(name="speech")
    assert {(row.user, row.role) for row in project.memberships.all()} == {
        (root, Role.OWNER),
        (cast.bob, Role.CONTRIBUTOR),
    }
    address = page_of(cast.project)
    assert saved(admin.post(address, form_of(admin, address) | {"visibility": "public", "name": "sight"}))
    changed = Project.objects.named("vision")
    assert (changed.name, changed.visibility) == ("sight", "public")
    assert Event.objects.first().after == {"name": "sight", "visibility": "public"}


def test_a_name_that_is_taken_is_said_and_not_saved(admin, cast):
    address = page_of(cast.project)
    response = admin.post(address, form_of(admin, address) | {"name": "bob"})
    assert "is taken" in messages_after(admin, response)
    assert Project.objects.get(pk=cast.project.pk).name == "vision"


def test_description_of_a_model_is_changed_by_a_maintainer_alone(admin, cast, root, version):
    address = page_of(version.model)
    assert admin.post(address, {"description": "mine"}).status_code == 403
    set_membership(actor=cast.alice, project=cast.project, user=root, role=Role.MAINTAINER)
    response = admin.post(address, form_of(admin, address) | {"description": "Digits.", "name": "other"})
    assert response.status_code == 302
    version.model.refresh_from_db()
    assert (version.model.description, version.model.name) == ("Digits.", "classifier")
    assert Event.objects.first().action == "model.changed"


def test_staff_who_may_only_look_change_no_member(cast):
    cast.charlie.is_staff = True
    cast.charlie.save()
    cast.charlie.user_permissions.set(
        Permission.objects.filter(codename__in=["view_project", "view_membership", "add_membership"])
    )
    client = Client()
    client.force_login(cast.charlie)
    address = page_of(cast.project)
    assert client.get(address).status_code == 200
    sent = {"memberships-2-0-user": cast.charlie.pk, "memberships-2-0-role": Role.OWNER}
    assert client.post(address, form_of(client, address) | sent).status_code == 403
    with pytest.raises(PermissionDenied):
        set_membership(
            actor=cast.charlie, project=cast.project, user=cast.charlie, role=Role.OWNER, by_administrator=True
        )
    assert not cast.charlie.memberships.exists()


def test_header_names_the_product(admin):
    assert "LMVP administration" in admin.get(reverse("admin:index")).content.decode()


def test_blobs_are_listed_by_their_first_digits_and_show_one_size(admin, version):
    blob = Blob.objects.first()
    listed = admin.get(list_of("blob")).content.decode()
    assert f">{blob.sha256[:12]}…<" in listed
    assert f">{blob.sha256}" not in listed
    page = admin.get(page_of(blob)).content.decode()
    assert page.count("Size:") == 1
    assert f"{blob.size} bytes" in page


@pytest.mark.parametrize(("table", "raw"), [("name", "Successor id"), ("accesstoken", "Project id")])
def test_headings_are_words(admin, cast, table, raw):
    create_access_token(actor=cast.alice, name="cluster", scope="read")
    page = admin.get(reverse(f"admin:accounts_{table}_changelist")).content.decode()
    assert raw not in page
    assert raw.removesuffix(" id") in page


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("action_told=alias.", {"alias.set"}),
        ("action_told=version.published&actor=bob", {"version.published"}),
        ("actor=nobody", set()),
        ("q=classifier%40production", {"alias.set"}),
        ("q=127.0.0.9", set()),
        ("at__gte=2020-01-01T00:00:00Z&at__lt=2020-01-02T00:00:00Z", set()),
    ],
)
def test_audit_log_is_searched(admin, version, query, actions):
    found = admin.get(f"{list_of('event')}?{query}").context["cl"].result_list
    assert {event.action for event in found} == actions


def test_audit_log_is_never_counted_whole(admin, version, monkeypatch):
    monkeypatch.setattr(admin_events, "MOST_LINES", 3)
    monkeypatch.setattr(admin_events.EventAdmin, "list_per_page", 2)
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(list_of("event")).context["cl"].result_count == 3
    asked = [query["sql"] for query in queries if 'FROM "registry_event"' in query["sql"]]
    assert asked
    assert all("LIMIT 3" in sql or "LIMIT 2" in sql for sql in asked), asked


def test_audit_log_shows_accounts_too(admin, cast):
    create_access_token(actor=cast.alice, name="cluster", scope="read")
    page = admin.get(f"{list_of('event')}?action_told=token.created").content.decode()
    assert "alice: cluster (lmvp_" in page
