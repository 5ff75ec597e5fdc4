"""Purging what stood in the trash long enough: of a version its number, digest and parents are left, else the name.

In two steps, each of short transactions. First the rows become tombstones, which is final. Then the places that only
purged versions held are given up; a run that was cut off in between is finished by the next. Bytes go later: what was
held until now is marked as used now, and garbage.py waits for its grace from there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from registry.digests import EMPTY
from registry.models import (
    Artifact,
    Blob,
    Derivation,
    Hierarchy,
    IdempotencyKey,
    Invitation,
    Membership,
    Metric,
    Occurrence,
    Project,
    Ref,
    RefMove,
    RegisteredModel,
    Tree,
    Version,
)
from registry.models.content import UploadQuerySet
from registry.models.holders import Place, holders
from registry.models.projects import ProjectQuerySet
from registry.models.versions import RegisteredModelQuerySet, VersionQuerySet
from registry.services import blobs, events, trash
from registry.services.alone import run_alone
from registry.services.budget import Budget

VERSIONS_AT_ONCE = 100
PLACES_AT_ONCE = 5000
PATIENCE = timedelta(seconds=20)  # of somebody who waits for a purge; the next run does the rest


@dataclass(slots=True)
class Purged:
    """What a purge took, or would take, from one project. `files`: those that none of their model's versions has now."""

    projects: int = 0
    models: int = 0
    versions: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Purge:
    """One purge: of what went into the trash at `before` or earlier. A rehearsal counts, and changes nothing."""

    before: datetime
    rehearsal: bool = False
    actor: User | None = None
    budget: Budget = field(default_factory=Budget)
    by_project: dict[str, Purged] = field(default_factory=dict)

    def of(self, project: Project) -> Purged:
        return self.by_project.setdefault(project.name, Purged())

    # --- What is due: also what a purge that was cut off has left

    def projects(self) -> ProjectQuerySet:
        return Project.objects.filter(purged_at=None, trashed_at__lte=self.before)

    def models(self) -> RegisteredModelQuerySet:
        due = Q(trashed_at__lte=self.before) | Q(project__trashed_at__lte=self.before)
        return RegisteredModel.objects.filter(due | Q(project__purged_at__isnull=False), purged_at=None)

    def versions(self) -> VersionQuerySet:
        due = Q(trashed_at__lte=self.before) | Q(model__trashed_at__lte=self.before)
        due |= Q(model__project__trashed_at__lte=self.before)
        gone = Q(model__purged_at__isnull=False) | Q(model__project__purged_at__isnull=False)
        return Version.objects.filter(due | gone, purged_at=None)


def purge_due(purge: Purge) -> None:
    """Purge everything that is due, and give up the places of what was purged."""
    for project in purge.projects().order_by("pk"):
        if purge.budget.is_spent():
            return
        _purge_project(purge, project)
    for project in Project.objects.filter(purged_at__isnull=False, hierarchies__isnull=False).distinct():
        _remove_artifacts(purge, project)
    for model in purge.models().select_related("project").order_by("pk"):
        if purge.budget.is_spent():
            return
        _purge_model(purge, model)
    with_dead = Occurrence.objects.filter(first_version__purged_at__isnull=False).values("model")
    waiting = Q(pk__in=purge.versions().values("model")) | Q(pk__in=with_dead)
    for model in RegisteredModel.objects.filter(waiting).select_related("project").order_by("pk"):
        _purge_versions(purge, model, purge.versions().filter(model=model))
        give_up_places(purge, model)


def purge_now(*, actor: User, row: trash.Row) -> bool:
    """Purge one thing that is in the trash, for a superuser; return whether all of it is done already.

    What takes longer than a moment is finished by the next run. Raises Conflict (not_in_trash; another_run while the
    collector is at work, which relies on nobody else purging), Gone (purged).
    """
    trash.require_superuser(actor)
    trash.refuse_not_in_trash(row)
    with run_alone("collect"):
        purge = Purge(before=timezone.now(), actor=actor, budget=Budget(PATIENCE))
        _purge_row(purge, row)
    return not purge.budget.ran_out


def _purge_row(purge: Purge, row: trash.Row) -> None:
    if isinstance(row, Project):
        _purge_project(purge, row)
        _remove_artifacts(purge, row)
        models = list(row.models.select_related("project"))
    else:
        models = [row if isinstance(row, RegisteredModel) else row.model]
    for model in models:
        if not isinstance(row, Version):
            _purge_model(purge, model)
        wanted = Version.objects.filter(pk=row.pk) if isinstance(row, Version) else model.versions.all()
        _purge_versions(purge, model, wanted.filter(purged_at=None))
        give_up_places(purge, model)


# --- Tombstones


def _purge_project(purge: Purge, project: Project) -> None:
    if purge.rehearsal:
        purge.of(project).projects += 1
        return
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.purged_at or not project.trashed_at or project.trashed_at > purge.before:
            return  # taken back meanwhile
        project.purged_at, project.description = timezone.now(), ""
        project.save(update_fields=["purged_at", "description"])
        for rows in (Membership, Invitation):
            rows._default_manager.filter(project=project).delete()
        _forget_uploads(project.uploads.all())
        _note(purge.actor, project, {})
    purge.of(project).projects += 1


def _forget_uploads(uploads: UploadQuerySet) -> None:
    _note_use(set(uploads.values_list("sha256", flat=True)))
    uploads.delete()


def _remove_artifacts(purge: Purge, project: Project) -> None:
    """Delete the artifacts of a purged project, the leaves first: each points to its parent."""
    while not purge.rehearsal:
        if purge.budget.is_spent():
            return
        leaves = Artifact.objects.filter(project=project, children=None)
        found = dict(leaves.values_list("pk", "content")[:PLACES_AT_ONCE])
        if not found:
            Hierarchy.objects.filter(project=project).delete()
            return
        with transaction.atomic():
            _note_use({digest for digest in found.values() if digest})
            Artifact.objects.filter(pk__in=found).delete()


def _purge_model(purge: Purge, model: RegisteredModel) -> None:
    if purge.rehearsal:
        purge.of(model.project).models += 1
        return
    with transaction.atomic():
        model = RegisteredModel.objects.locked_anyhow(model.pk)
        due = [row.trashed_at for row in (model, model.project) if row.trashed_at and row.trashed_at <= purge.before]
        if model.purged_at or not (due or model.project.purged_at):
            return  # taken back meanwhile
        now = timezone.now()
        model.purged_at, model.trashed_at, model.description = now, model.trashed_at or now, ""
        model.save(update_fields=["purged_at", "trashed_at", "description"])
        model.versions.filter(trashed_at=None).update(trashed_at=now)
        for rows in (Ref, IdempotencyKey):
            rows._default_manager.filter(model=model).delete()
        _forget_uploads(model.uploads.all())
        _note(purge.actor, model, {"versions": model.last_number})
    purge.of(model.project).models += 1


def _purge_versions(purge: Purge, model: RegisteredModel, due: VersionQuerySet) -> None:
    if purge.rehearsal:
        if number := due.count():
            purge.of(model.project).versions += number
        return
    last = 0
    while not purge.budget.is_spent():
        chunk = due.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)
        pks = list(chunk[:VERSIONS_AT_ONCE])
        if not pks:
            return
        last = pks[-1]
        with transaction.atomic():
            locked = RegisteredModel.objects.locked_anyhow(model.pk)
            # Asked again under the lock: somebody may have taken one back.
            versions = list(due.filter(pk__in=pks, trashed_at__isnull=False).select_related("model__project"))
            _bury(locked, versions, purge.actor)
        if versions:
            purge.of(model.project).versions += len(versions)


def _bury(model: RegisteredModel, versions: list[Version], actor: User | None) -> None:
    pks = [version.pk for version in versions]
    _note_use({version.tree_id for version in versions})
    empty(Version.objects.filter(pk__in=pks))
    for rows in (Metric, IdempotencyKey, Derivation):
        rows._default_manager.filter(version__in=pks).delete()
    for version in versions:
        # Publishing wrote the message's first line into the moves; comments of their own stay.
        published = RefMove.objects.filter(model=model, to_version=version, comment=version.title[:1000])
        published.exclude(comment="").update(comment="")
        _note(actor, version, {"digest": version.digest})


def empty(versions: VersionQuerySet) -> int:
    """Make tombstones of versions that are in the trash, by the one UPDATE that their seal lets through."""
    Tree.objects.get_or_create(pk=EMPTY, defaults={"content": b"", "files": 0, "size": 0})
    return versions.update(
        purged_at=timezone.now(), tree_id=EMPTY, message="", metadata_json="{}", deprecated="", deprecated_at=None
    )


def _note(actor: User | None, row: trash.Row, after: dict[str, object]) -> None:
    project, action = trash.project_of(row), f"{trash.noun_of(row)}.purged"
    events.record(actor=actor, action=action, project=project, subject=str(row), after=after or None)


# --- Places


def give_up_places(purge: Purge, model: RegisteredModel) -> None:
    """Give each place whose first version is purged to the oldest version that still has it, or delete it."""
    last, counted = 0, Counter[str]()
    while not purge.budget.is_spent():
        chunk = _dead(purge, model).filter(pk__gt=last).order_by("pk")
        dead = list(chunk[:PLACES_AT_ONCE])
        if not dead:
            return
        last = dead[-1].pk
        newest = RegisteredModel.objects.values_list("last_number", flat=True).get(pk=model.pk)
        kept = _holders(_remaining(purge, model).filter(number__lte=newest), dead)
        if purge.rehearsal:
            _count(purge, model, [one for one in dead if (one.path, one.digest) not in kept], counted)
            continue
        with transaction.atomic():
            RegisteredModel.objects.locked_anyhow(model.pk)
            # Whoever published while the trees were walked found these places taken, and relies on them.
            late = _holders(_remaining(purge, model).filter(number__gt=newest), dead)
            _pass_on(dead, late | kept)
            gone = [one for one in dead if (one.path, one.digest) not in late | kept]
            _count(purge, model, gone, counted)
            _delete(gone)


def _dead(purge: Purge, model: RegisteredModel) -> QuerySet[Occurrence]:
    purged = Q(first_version__purged_at__isnull=False)
    if purge.rehearsal:  # nobody has become a tombstone yet
        purged |= Q(first_version__in=purge.versions().filter(model=model))
    return Occurrence.objects.filter(purged, model=model)


def _remaining(purge: Purge, model: RegisteredModel) -> VersionQuerySet:
    """Return the versions whose files stay: those in the trash too, as they may be taken back."""
    versions = Version.objects.filter(model=model, purged_at=None)
    return versions.exclude(pk__in=purge.versions().filter(model=model)) if purge.rehearsal else versions


def _pass_on(dead: list[Occurrence], heirs: dict[Place, int]) -> None:
    kept = [one for one in dead if (one.path, one.digest) in heirs]
    for one in kept:
        one.first_version_id = heirs[one.path, one.digest]
    Occurrence.objects.bulk_update(kept, ["first_version"], batch_size=500)


def _delete(gone: list[Occurrence]) -> None:
    _note_use({one.digest for one in gone})
    for start in range(0, len(gone), blobs.BATCH):
        Occurrence.objects.filter(pk__in=[one.pk for one in gone[start : start + blobs.BATCH]]).delete()


def _note_use(digests: set[str]) -> None:
    """Let the time without any use begin now for what is given up, files and directories."""
    wanted = sorted(digests)
    for start in range(0, len(wanted), blobs.BATCH):
        for kind in (Blob, Tree):
            rows = kind._default_manager.filter(pk__in=wanted[start : start + blobs.BATCH]).order_by("pk")
            held = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
            kind._default_manager.filter(pk__in=held).update(used_at=timezone.now())


def _count(purge: Purge, model: RegisteredModel, gone: list[Occurrence], counted: Counter[str]) -> None:
    """Add to the project's line the files that the model has nowhere else. `counted`: the places of a rehearsal before."""
    going = Counter(one.digest for one in gone)
    digests = sorted(going)
    for start in range(0, len(digests), blobs.BATCH):
        some = digests[start : start + blobs.BATCH]
        sizes = dict(Blob.objects.filter(pk__in=some).values_list("pk", "size"))  # directories are none
        there = Counter(Occurrence.objects.filter(model=model, digest__in=sizes).values_list("digest", flat=True))
        for digest, size in sizes.items():
            if purge.rehearsal:
                counted[digest] += going[digest]
            if there[digest] == (counted[digest] if purge.rehearsal else going[digest]):
                purge.of(model.project).files += 1
                purge.of(model.project).bytes += size


def _holders(versions: VersionQuerySet, dead: list[Occurrence]) -> dict[Place, int]:
    """Return for each place of `dead` the key of the oldest of the versions that has it, where there is one."""
    found = holders(versions, [(one.path, one.digest) for one in dead])
    numbers, keys = sorted(set(found.values())), dict[int, int]()
    for start in range(0, len(numbers), blobs.BATCH):
        rows = versions.filter(number__in=numbers[start : start + blobs.BATCH])
        keys.update(rows.values_list("number", "pk"))
    return {place: keys[number] for place, number in found.items()}
