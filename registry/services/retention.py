"""Retention rules: which versions a model keeps by itself. The others go to the trash, where they can be taken back from.

Never what a branch, tag or alias names, what lineage names, or what somebody took back from the trash before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Sum
from django.utils import timezone

from accounts.models import User
from registry.errors import Invalid
from registry.models import Artifact, Derivation, Ref, RegisteredModel, RetentionRule, Version
from registry.models.retention import MOST_DAYS, MOST_VERSIONS
from registry.models.versions import VersionQuerySet
from registry.permissions import Action, require
from registry.services import commits, events, trash
from registry.services.budget import Budget

TRASHED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would put into the trash now. `bytes` are of their files, those shared with other versions too."""

    versions: int
    bytes: int


def find_rule(*, actor: User, model: RegisteredModel) -> RetentionRule:
    """Return the model's rule; RetentionRule.DoesNotExist when it has none."""
    require(actor, Action.VIEW_TRASH, model.project)
    return RetentionRule.objects.select_related("model__project", "set_by").get(model=model)


def set_rule(*, actor: User, model: RegisteredModel, keep_last: int | None, keep_days: int | None) -> RetentionRule:
    """Set the model's rule; it is applied by the next run of collect_garbage. Invalid where it says nothing."""
    require(actor, Action.SET_RETENTION, model.project)
    _check(keep_last, keep_days)
    with transaction.atomic():
        model = commits.lock_model(model)
        former = RetentionRule.objects.filter(model=model).first()
        said = {"keep_last": keep_last, "keep_days": keep_days}
        rule, _ = RetentionRule.objects.update_or_create(model=model, defaults={**said, "set_by": actor})
        _note(actor, model, former, said)
    return rule


def delete_rule(*, actor: User, model: RegisteredModel) -> None:
    """Let the model keep all its versions again; RetentionRule.DoesNotExist when it had no rule."""
    require(actor, Action.SET_RETENTION, model.project)
    with transaction.atomic():
        model = commits.lock_model(model)
        rule = RetentionRule.objects.get(model=model)
        _note(actor, model, rule, None)
        rule.delete()


def preview(rule: RetentionRule) -> Preview:
    """Return what the rule would put into the trash now."""
    found = expendable(rule).aggregate(versions=Count("pk"), bytes=Sum("tree__size"))  # one walk for both
    return Preview(found["versions"], found["bytes"] or 0)


def expendable(rule: RetentionRule, *, now: datetime | None = None) -> VersionQuerySet:
    """Return the model's versions that the rule does not keep, now or at another time."""
    live = Version.objects.filter(model=rule.model_id, trashed_at=None)
    versions = live.filter(undeleted_at=None).exclude(
        Exists(Ref.objects.filter(version=OuterRef("pk")))
        | Exists(Artifact.objects.filter(version=OuterRef("pk")))
        | Exists(Derivation.objects.filter(source=OuterRef("pk"), version__purged_at=None))
    )
    if rule.keep_last:
        newest = live.order_by("-number").values_list("number", flat=True)
        oldest_kept = newest[rule.keep_last - 1 : rule.keep_last].first()
        versions = versions.filter(number__lt=oldest_kept or 0)
    if rule.keep_days:
        versions = versions.filter(created_at__lt=(now or timezone.now()) - timedelta(days=rule.keep_days))
    return versions


def apply_rules(*, rehearsal: bool = False, budget: Budget | None = None) -> dict[str, int]:
    """Put into the trash what the rules do not keep; return how many versions by project."""
    done, budget = dict[str, int](), budget or Budget()
    rules = RetentionRule.objects.filter(model__trashed_at=None, model__project__trashed_at=None)
    for rule in rules.select_related("model__project").order_by("pk"):
        if budget.is_spent():
            break
        number = expendable(rule).count() if rehearsal else _apply(rule, budget)
        if number:
            done[rule.model.project.name] = done.get(rule.model.project.name, 0) + number
    return done


def _apply(rule: RetentionRule, budget: Budget) -> int:
    """Apply one rule, some versions at a time, so that nobody who publishes waits long."""
    done = 0
    while not budget.is_spent():
        with transaction.atomic():
            try:
                model = commits.lock_model(rule.model)
            except RegisteredModel.DoesNotExist:
                break  # deleted meanwhile
            current = RetentionRule.objects.filter(model=model).first()  # it may have been changed or deleted
            some = list(expendable(current).order_by("number")[:TRASHED_AT_ONCE]) if current else []
            for version in some:
                version.model = model
                trash.put(version, actor=None, why={"rule": _said(current)})
        done += len(some)
        if len(some) < TRASHED_AT_ONCE:
            break
    return done


def _check(keep_last: int | None, keep_days: int | None) -> None:
    if keep_last is None and keep_days is None:
        raise Invalid("empty_rule", "Say keep_last, keep_days or both. DELETE takes the rule away.")
    if (
        not 1 <= (keep_last or 1) <= MOST_VERSIONS
        or not 1 <= (keep_days or 1) <= MOST_DAYS
        or 0 in (keep_last, keep_days)
    ):
        raise Invalid("invalid_rule", f"A rule keeps 1 to {MOST_VERSIONS:,} versions, or 1 to {MOST_DAYS:,} days.")


def _said(rule: RetentionRule | None) -> dict[str, int | None] | None:
    return {"keep_last": rule.keep_last, "keep_days": rule.keep_days} if rule else None


def _note(
    actor: User, model: RegisteredModel, before: RetentionRule | None, after: dict[str, int | None] | None
) -> None:
    events.record(
        actor=actor,
        action="retention.set" if after else "retention.deleted",
        project=model.project,
        subject=str(model),
        before=_said(before),
        after=after,
    )
