"""The page of a project's members: who they are, which roles they have, who is invited; and its buttons."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.services.mail import where_mails_go
from registry.models import Invitation, Membership, Role
from registry.permissions import NEEDS, Action, can, require, role_in
from registry.services import members
from registry.web.forms.members import AddForm, InviteForm, RoleForm, roles_up_to
from registry.web.pages import act, attempt, show
from registry.web.paging import numbered
from registry.web.places import Place, actor_of, project_at

MEMBERS = 100  # on one page
MOST_INVITATIONS = 100
# What completes “You may not …”, and reads badly in a list of what one may.
READ_ALONE = {Action.VIEW: "see the project, its models and their versions"}


@require_safe
def overview(request: HttpRequest, project: str) -> HttpResponse:
    return _page(project_at(request, project))


@require_POST
def add(request: HttpRequest, project: str) -> HttpResponse:
    """Give somebody who has an account a role."""
    place = project_at(request, project, action=Action.MANAGE_MEMBERS)
    form = AddForm(request.POST, prefix="add")
    if not form.is_valid() or not attempt(form, lambda said: _add(place, said["username"].strip(), form.said)):
        return _page(place, adding=form, status=400)
    messages.success(request, f"{form.cleaned_data['username']} is {form.said.label} now.")
    return redirect(_address(place))


@require_POST
def set_role(request: HttpRequest, project: str, username: str) -> HttpResponse:
    place = project_at(request, project, action=Action.MANAGE_MEMBERS)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role. Choose one of those that are offered.")
        return redirect(_address(place))

    def work() -> None:
        user = _member(place, username).user
        members.set_membership(actor=actor_of(request), project=place.project, user=user, role=form.said)

    done = f"{username} is {form.said.label} now."
    return act(request, work, done=done, then=_address(place), gone=Membership.DoesNotExist)


@require_POST
def remove(request: HttpRequest, project: str, username: str) -> HttpResponse:
    """Take somebody out, or leave."""
    place = project_at(request, project)
    leaving = username == request.user.username
    require(request.user, Action.LEAVE if leaving else Action.MANAGE_MEMBERS, place.project)
    done = f"You have left {place.project}." if leaving else f"{username} is no member of {place.project} any more."

    def work() -> None:
        user = _member(place, username).user
        members.remove_member(actor=actor_of(request), project=place.project, user=user)

    response = act(request, work, done=done, then=_address(place), gone=Membership.DoesNotExist)
    left = leaving and role_in(request.user, place.project) is None
    return redirect("home") if left else response


@require_POST
def invite(request: HttpRequest, project: str) -> HttpResponse:
    """Mail an invitation."""
    place = project_at(request, project, action=Action.MANAGE_MEMBERS)
    form = InviteForm(request.POST, prefix="invite")
    if not form.is_valid() or not attempt(form, lambda said: _invite(place, said["email"], form.said)):
        return _page(place, inviting=form, status=400)
    messages.success(request, f"An invitation is on its way to {form.cleaned_data['email']}.{where_mails_go()}")
    return redirect(_address(place))


@require_POST
def resend(request: HttpRequest, project: str, pk: int) -> HttpResponse:
    """Mail an open invitation anew, with a link of its own; the former link is no good any more."""
    place = project_at(request, project, action=Action.MANAGE_MEMBERS)

    def work() -> None:
        invitation = Invitation.objects.open().get(project=place.project, pk=pk)
        _invite(place, invitation.email, Role(invitation.role))

    done = f"Another mail is on its way; the link in the former one is no good any more.{where_mails_go()}"
    return act(request, work, done=done, then=_address(place), gone=Invitation.DoesNotExist)


@require_POST
def withdraw(request: HttpRequest, project: str, pk: int) -> HttpResponse:
    place = project_at(request, project)

    def work() -> None:
        members.withdraw_invitation(actor=actor_of(request), project=place.project, invitation_id=pk)

    done = "The invitation is withdrawn; its link is no good any more."
    return act(request, work, done=done, then=_address(place), gone=Invitation.DoesNotExist)


def _page(
    place: Place, *, adding: AddForm | None = None, inviting: InviteForm | None = None, status: int = 200
) -> HttpResponse:
    request, project = place.request, place.project
    require(request.user, Action.VIEW_MEMBERS, project)
    own = role_in(request.user, project)
    rows = project.memberships.select_related("user").order_by("-role", "user__username")
    invitations: list[Invitation] = []
    if can(request.user, Action.VIEW_INVITATIONS, project):
        opened = Invitation.objects.open().filter(project=project).select_related("invited_by")
        invitations = list(opened.order_by("-created_at", "-pk")[:MOST_INVITATIONS])
    return show(
        request,
        "members",
        place,
        tab="members",
        status=status,
        twin=f"{place.twin}members/",
        page=numbered(rows, request, size=MEMBERS),
        own=own,
        roles=roles_up_to(own),
        invitations=invitations,
        adding=adding or AddForm(prefix="add", own=own),
        inviting=inviting or InviteForm(prefix="invite", own=own),
        rights=rights(),
    )


def rights() -> list[tuple[Role, list[str]]]:
    """Return what each role may do beyond the one before it, from the table that decides."""
    return [
        (role, [READ_ALONE.get(action, action.value) for action, needed in NEEDS.items() if needed is role])
        for role in Role
    ]


def _member(place: Place, username: str) -> Membership:
    return place.project.memberships.select_related("user").get(user__username=username)


def _add(place: Place, username: str, role: Role) -> None:
    user = members.find_user(username=username)
    members.set_membership(actor=actor_of(place.request), project=place.project, user=user, role=role)


def _invite(place: Place, email: str, role: Role) -> None:
    members.invite(actor=actor_of(place.request), project=place.project, email=email, role=role)


def _address(place: Place) -> str:
    return reverse("web:members", args=[place.project.name])
