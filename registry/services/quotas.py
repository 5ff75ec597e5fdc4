"""Quotas: how much a project and a user may hold, counted anew whenever something would be added. Without one, nothing is asked.

What is held is exact, not cached: a few sums over what the holder has, and only where there is a quota. Whoever adds holds
the row of the project, and then that of the user, so that of several at once each sees what the one before it added.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from accounts.models import User
from registry.errors import StorageFull
from registry.models import Project, RegisteredModel
from registry.models.holdings import Holdings
from registry.sizes import readable

MOST_NAMED = 3  # people to ask


@dataclass(frozen=True, slots=True)
class Quota:
    """What a project or a user may hold, in bytes."""

    of: Project | User
    limit: int

    @property
    def holdings(self) -> Holdings:
        return Holdings.of_project(self.of) if isinstance(self.of, Project) else Holdings.of_user(self.of)


def limit_of(of: Project | User) -> int | None:
    """Return how many bytes a project or a user may hold; None: as many as fit."""
    general: int | None = settings.LMVP_PROJECT_QUOTA if isinstance(of, Project) else settings.LMVP_USER_QUOTA
    return general if of.quota is None else of.quota


def quotas_of(*, actor: User, project: Project | None) -> list[Quota]:
    """Return the quotas for what this user adds to this project. Asks nothing."""
    limits = [(of, limit_of(of)) for of in (project, actor) if of is not None]
    return [Quota(of, limit) for of, limit in limits if limit is not None]


def lock(limits: Sequence[Quota]) -> None:
    """Let nobody else add to these holders until the transaction ends. Before any model's row is locked."""
    for quota in limits:
        type(quota.of)._default_manager.select_for_update(no_key=True).get(pk=quota.of.pk)


def require_for(limits: Sequence[Quota], sizes: Mapping[str, int], *, unnamed: int = 0) -> None:
    """Return when these files, size by digest, may be added, and so many bytes without one; StorageFull otherwise.

    What is held already, or announced, adds nothing, and may come also where more is held than the quota allows now.
    """
    for quota in limits:
        holdings = quota.holdings
        wanted = unnamed + (holdings.added_by(sizes) if sizes else 0)
        if wanted:
            _require(quota, holdings.size(), wanted)


def require_to_publish(
    *, actor: User, project: Project, sizes: Mapping[str, int], model: RegisteredModel | None = None
) -> None:
    """Return when these files may become part of a version of a model, or an artifact, however they came; else StorageFull.

    Counted again, because what was announced is forgotten after a while, and what others hold comes without being sent.
    What stands in the model is nobody's new file. In the caller's transaction, which holds no model and no blob yet.
    """
    limits = quotas_of(actor=actor, project=project)
    lock(limits)
    if limits and model:
        sizes = _others(sizes, Holdings.of_model(model).published_of(sizes))
    for quota in limits:
        holdings = quota.holdings
        fresh = _others(sizes, holdings.published_of(sizes))
        wanted = sum(fresh.values())
        if wanted:
            _require(quota, holdings.size() - (wanted - holdings.added_by(fresh)), wanted)


def _others(sizes: Mapping[str, int], known: Collection[str]) -> dict[str, int]:
    return {digest: size for digest, size in sizes.items() if digest not in known}


def require_for_body(limits: Sequence[Quota], *, actor: User, size: int, spare: int) -> None:
    """Return when a body of so many bytes may be within the quotas, `spare` of them being no files; StorageFull otherwise.

    What the actor announced does not count: it may be what the body brings.
    """
    for quota in limits:
        _require(quota, quota.holdings.without_coming_of(actor).size(), size, spare=spare)


def _require(quota: Quota, used: int, wanted: int, *, spare: int = 0) -> None:
    if used + wanted - spare > quota.limit:
        raise StorageFull(
            "quota_exceeded",
            f"{_held(quota, used)}; this takes {readable(wanted)} more. Delete old versions ({_emptied()}), or ask"
            f" {whom_to_ask()} for more.",
            fields={"limit": quota.limit, "used": used, "wanted": wanted},
        )


def _held(quota: Quota, used: int) -> str:
    if isinstance(quota.of, User):
        return f"You may hold {readable(quota.limit)} in all projects together and hold {readable(used)}"
    return f"The project {quota.of.name} may hold {readable(quota.limit)} and holds {readable(used)}"


def _emptied() -> str:
    days = settings.TRASH_LIFETIME.days
    return f"the trash is emptied after {days:,} day{'' if days == 1 else 's'}"


def storage_of(of: Project | User) -> str:
    """Return what is held of what may be held, for people: “3.2 GiB of 50 GiB”."""
    held, limit = readable(Quota(of, 0).holdings.size()), limit_of(of)
    return held if limit is None else f"{held} of {readable(limit)}"


def whom_to_ask() -> str:
    """Return the names of some of the active staff, for a sentence."""
    staff = User.objects.filter(is_active=True, is_staff=True).order_by("username")
    names = list(staff.values_list("username", flat=True)[:MOST_NAMED])
    return _either(names) if names else "the server's administrator"


def _either(names: Collection[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
