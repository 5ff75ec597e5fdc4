"""Named lines of immutable versions, the names that point to them, and the numbers logged about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse

from lmvp.prepared import prepared
from registry.ancestry import Divergence, common_ancestors, divergence
from registry.models.content import Tree
from registry.models.metrics import MetricQuerySet
from registry.models.newest import few_of_each
from registry.models.projects import Membership, Project
from registry.models.strands import FIRST_PARENTS_NEAR, VersionParentQuerySet

if TYPE_CHECKING:
    from registry.models.projects import Actor

MODEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
REF_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NUMBER = re.compile(r"v?([0-9]{1,9})")
LIKE_A_NUMBER = re.compile(r"[vV]?[0-9]+")
HEX = re.compile(r"[0-9a-f]{7,64}")


def validate_model_name(name: str) -> None:
    """Refuse what is not in the grammar of registered models."""
    if not MODEL_NAME.fullmatch(name) or "--" in name or ".." in name or name.lower().endswith(".git"):
        raise ValidationError(
            "Use letters, digits and . _ - (96 at most), a letter or digit at both ends, no “--”, no “..”,"
            " no “.git” at the end.",
            code="invalid_name",
        )


def validate_ref_name(name: str) -> None:
    """Refuse what is no ref name, or could be read as a number, `latest` or a digest."""
    if not REF_NAME.fullmatch(name) or ".." in name:
        raise ValidationError(
            "Use letters, digits and . _ - (100 at most), beginning with a letter or digit, no “..”.",
            code="invalid_name",
        )
    if LIKE_A_NUMBER.fullmatch(name) or HEX.fullmatch(name.lower()) or name.lower() == "latest":
        raise ValidationError(
            f"“{name}” could be read as a version number, a digest or “latest”. Choose another name.",
            code="reserved_name",
        )


class RegisteredModelQuerySet(models.QuerySet["RegisteredModel"]):
    def visible_to(self, actor: Actor) -> RegisteredModelQuerySet:
        return self.filter(project__in=Project.objects.visible_to(actor), trashed_at=None)

    def in_trash(self) -> RegisteredModelQuerySet:
        """Those that can still be taken back, the newest first."""
        return self.filter(trashed_at__isnull=False, purged_at=None).order_by("-trashed_at", "-pk")

    def with_role_of(self, user: int | None) -> RegisteredModelQuerySet:
        """Annotate each model with `role`: that of the user of this id in its project, or None."""
        mine = Membership.objects.filter(project=models.OuterRef("project"), user=user).order_by()  # there is one
        return self.annotate(role=models.Subquery(mine.values("role")[:1]))

    def called(self, name: str) -> RegisteredModelQuerySet:
        """Those of this name now, without regard to case, by the index that keeps names unique."""
        return self.alias(lowered=Lower("name")).filter(lowered=Lower(models.Value(name)))

    def named(self, name: str) -> RegisteredModel:
        """Return the model of this name or former name, without regard to case; DoesNotExist otherwise."""
        found = self.called(name).first()
        return found or self.get(former_names__name__iexact=name)

    def locked(self, pk: int) -> RegisteredModel:
        """Return the model's row, locked until the transaction ends, with its project.

        DoesNotExist when it, or its project, was deleted meanwhile: nothing is added to what is in the trash.
        """
        for model in _locked(pk):
            if not model.trashed_at and not model.project.trashed_at:
                return model
        raise self.model.DoesNotExist

    def locked_anyhow(self, pk: int) -> RegisteredModel:
        """Return the same in the trash or not: for what moves in and out of the trash."""
        return self.select_related("project").select_for_update(no_key=True, of=("self",)).get(pk=pk)

    def for_listing(self) -> RegisteredModelQuerySet:
        """With the project, and the heads and aliases with their versions: a fixed number of queries."""
        shown = Ref.objects.filter(kind__in=(Ref.Kind.BRANCH, Ref.Kind.ALIAS)).select_related("version")
        return self.select_related("project").prefetch_related(models.Prefetch("refs", shown))

    def with_heads(self) -> RegisteredModelQuerySet:
        """With the project, and as `heads` the aliases and the default branch, with their versions: all that a row shows."""
        default = Q(kind=Ref.Kind.BRANCH, name=models.F("model__default_branch"))
        shown = Ref.objects.filter(Q(kind=Ref.Kind.ALIAS) | default).select_related("version")
        refs = shown.defer("version__metadata_json").order_by("name")
        return self.select_related("project").prefetch_related(models.Prefetch("refs", refs, to_attr="heads"))

    def newest_first(self) -> RegisteredModelQuerySet:
        """Those whose newest version came last, first."""
        return self.order_by("-updated_at", "-pk")


@prepared
def _locked(pk: int) -> RegisteredModelQuerySet:
    return RegisteredModel.objects.select_related("project").select_for_update(no_key=True, of=("self",)).filter(pk=pk)


class RegisteredModel(models.Model):
    """A named line of versions inside a project. Its row is the lock under which versions get their numbers."""

    class Kind(models.TextChoices):
        MODEL = "model"
        DATASET = "dataset"
        CONFIG = "config"

    project = models.ForeignKey(Project, models.PROTECT, related_name="models")
    name = models.CharField(max_length=96, validators=[validate_model_name])
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.MODEL)
    description = models.TextField(blank=True, max_length=2000)
    default_branch = models.CharField(max_length=100, default="main", validators=[validate_ref_name])
    last_number = models.PositiveIntegerField(
        default=0, editable=False, help_text="The newest version's; never used twice."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now_add=True, db_index=True, help_text="When its newest version came.")
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)
    trashed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    purged_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when only its name is left."
    )

    objects = RegisteredModelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint("project", Lower("name"), name="one_model_per_name")]

    def __str__(self) -> str:
        return f"{self.project.name}/{self.name}"

    def get_absolute_url(self) -> str:
        return reverse("web:model", args=[self.project.name, self.name])


class FormerModelName(models.Model):
    """A name that a model had: reserved, and leading to it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    name = models.CharField(max_length=96)
    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="former_names")

    class Meta:
        constraints = [models.UniqueConstraint("project", Lower("name"), name="one_model_per_former_name")]

    def __str__(self) -> str:
        return self.name


class VersionQuerySet(models.QuerySet["Version"]):
    def visible_to(self, actor: Actor) -> VersionQuerySet:
        return self.filter(model__in=RegisteredModel.objects.visible_to(actor), trashed_at=None)

    def in_trash(self) -> VersionQuerySet:
        """Those that can still be taken back, the newest first."""
        return self.filter(trashed_at__isnull=False, purged_at=None).order_by("-trashed_at", "-number")

    def newest_keys_of(self, models: Iterable[RegisteredModel], most: int) -> list[int]:
        """The keys of so many of the newest of each model that are not in the trash."""
        rows = self.filter(trashed_at=None)
        return few_of_each(rows.filter(model=model).order_by("-number")[:most] for model in models)

    def newest_of(self, models: Iterable[RegisteredModel], most: int) -> VersionQuerySet:
        """So many of the newest of each model that are not in the trash, with their place."""
        keys = self.newest_keys_of(models, most)
        return self.filter(pk__in=keys).select_related("model__project").defer("metadata_json").order_by("-pk")

    def with_figures(self) -> VersionQuerySet:
        """With the number and size of the files: all that an answer needs beside their surroundings."""
        return self.select_related("tree").defer("tree__content")

    def for_listing(self) -> VersionQuerySet:
        """With parents, names and metrics as objects, in a fixed number of queries, where they are computed with."""
        latest = Metric.objects.filter(latest=True).order_by("name").only("version_id", "name", "value", "text")
        parents = VersionParent.objects.select_related("parent").order_by("position")
        return self.with_figures().prefetch_related(
            models.Prefetch("metrics", latest, to_attr="latest_metrics"),
            models.Prefetch("refs", Ref.objects.only("version_id", "kind", "name")),
            models.Prefetch("parent_links", parents.only("version_id", "position", "parent__number", "parent__digest")),
        )

    def on_line_of(self, head: Version) -> VersionQuerySet:
        """The head, its first parent, the first parent of that, and so on, all of it: `line_from` goes a part."""
        return self.filter(VersionParent.objects.on_line(head.pk, "pk"))

    def stands_on(self, version: Version, older: Version) -> bool:
        """Whether `older`, of the same model, is the version itself or one of its ancestors, by whichever parents."""
        edges = VersionParent.objects.of_model(version.model_id)
        return next(iter(common_ancestors(edges, version.number, older.number)), None) == older.number

    def neighbours_of(self, version: Version) -> tuple[Version | None, Version | None]:
        """Return the versions of a model before and after one, by number, that are not in the trash."""
        shown = self.filter(model=version.model_id, trashed_at=None).only("number", "model_id")
        before = shown.filter(number__lt=version.number).order_by("-number").first()
        return before, shown.filter(number__gt=version.number).order_by("number").first()

    def common_ancestor(self, one: Version, other: Version) -> Version | None:
        """Return the newest version that two of one model both stand on, or that one of them is; None when there is none.

        Where branches were merged into each other crosswise there can be several that are nearest: it is the one with
        the highest number (git would merge those first). What was purged has no files to compare with, and is passed over.
        """
        if one.model_id != other.model_id:
            return None
        for number in common_ancestors(VersionParent.objects.of_model(one.model_id), one.number, other.number):
            found = self.filter(model=one.model_id, number=number, purged_at=None).first()
            if found:
                return found
        return None

    def divergence(self, base: Version, head: Version) -> Divergence | None:
        """Return how two of one model stand to each other in its history; None where that is too far to look."""
        return divergence(VersionParent.objects.of_model(base.model_id), base.number, head.number)

    def line_from(self, version_id: int, steps: int) -> list[tuple[int, int]]:
        """Return (id, number) of a version and of as many of its line of first parents, newest first."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(FIRST_PARENTS_NEAR, [version_id, steps])
            return list(cursor.fetchall())

    def at(self, model: RegisteredModel, revision: str) -> Version:
        """Return what a revision names: a ref, `3` or `v3`, `latest`, a digest or an unambiguous prefix of one.

        Digits of a digest may be upper-case: no ref has such a name.
        Raises Version.DoesNotExist, or MultipleObjectsReturned for an ambiguous prefix.
        """
        of_model = self.filter(model=model)
        named = Ref.objects.filter(model=model)  # asked first: a join would have SQLite look at every version
        number = NUMBER.fullmatch(revision)
        if number:
            return of_model.get(number=int(number[1]))
        if revision == "latest":
            return of_model.get(pk=named.filter(kind=Ref.Kind.BRANCH, name=model.default_branch).values("version")[:1])
        if HEX.fullmatch(revision.lower()):
            prefix = revision.lower()
            return of_model.get(digest__gte=prefix, digest__lt=prefix + "g")  # a range: the index serves it
        return of_model.get(pk=named.filter(name=revision).values("version")[:1])

    def at_each(self, model: RegisteredModel, revisions: Sequence[str]) -> dict[str, Version]:
        """Return what several revisions name, by revision, without those that name nothing.

        Three queries, and one for each digest. MultipleObjectsReturned for an ambiguous prefix.
        """
        of_model, found = self.filter(model=model), dict[str, Version]()
        numbers = {said: int(number[1]) for said in revisions if (number := NUMBER.fullmatch(said))}
        digests = [said for said in revisions if said not in numbers and HEX.fullmatch(said.lower())]
        names = {
            said: model.default_branch if said == "latest" else said
            for said in revisions
            if said not in numbers and said not in digests
        }
        refs = Ref.objects.filter(model=model, name__in=names.values()).values_list("name", "version") if names else ()
        ids = dict(refs)
        by_number = {one.number: one for one in of_model.filter(number__in=numbers.values())} if numbers else {}
        by_id = of_model.in_bulk(ids.values()) if ids else {}
        for said in revisions:
            if said in digests:
                with suppress(Version.DoesNotExist):
                    found[said] = self.at(model, said)
            elif version := by_number.get(numbers[said]) if said in numbers else by_id.get(ids.get(names[said], 0)):
                found[said] = version
        return found


class Version(models.Model):
    """An immutable commit of one registered model. A trigger in the database guards every column down to created_at.

    Purging alone empties tree, message and metadata, in the one UPDATE that sets purged_at; that is never undone.
    """

    model = models.ForeignKey(RegisteredModel, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    tree = models.ForeignKey(Tree, models.PROTECT, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="versions")
    author_name = models.CharField(max_length=39, help_text="As it was then; part of the digest.")
    branch = models.CharField(max_length=100, help_text="Where it was published.")
    message = models.TextField(blank=True)
    metadata_json = models.TextField(default="{}", help_text="Canonical JSON; part of the digest.")
    created_at = models.DateTimeField(db_index=True)
    deprecated = models.CharField(max_length=500, blank=True, help_text="Why it should not be used any more.")
    deprecated_at = models.DateTimeField(null=True, blank=True)
    trashed_at = models.DateTimeField(null=True, blank=True)
    trashed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Nobody: the model's retention rule.",
    )
    undeleted_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody took it back from the trash: retention rules spare it since."
    )
    purged_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when only number, digest and parents are left."
    )

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["model", "digest"], name="one_version_per_digest"),
        ]
        indexes = [
            models.Index(
                fields=["model", "trashed_at"], condition=Q(trashed_at__isnull=False), name="versions_in_the_trash"
            ),
            models.Index(fields=["model", "author", "number"], name="versions_of_an_author"),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("web:version", args=[self.model.project.name, self.model.name, str(self.number)])

    @property
    def metadata(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.metadata_json)
        return loaded

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def parents(self) -> list[Version]:
        """Its parents, the first one first."""
        return [link.parent for link in self.parent_links.all()]


class VersionParent(models.Model):
    """One edge of the history: a version and one of its parents, the first at position 0."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="parent_links")
    parent = models.ForeignKey(Version, models.PROTECT, related_name="child_links")
    position = models.PositiveSmallIntegerField(default=0)
    strand = models.BigIntegerField(
        null=True, editable=False, help_text="The first version of the strand that this one continues (see strands.py)."
    )

    objects = VersionParentQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["version", "position"], name="one_parent_per_position")]
        indexes = [models.Index(fields=["strand", "version"], condition=Q(strand__isnull=False), name="strands")]

    def __str__(self) -> str:
        return f"{self.version_id} ← {self.parent_id}"


class Ref(models.Model):
    """A name for a version: a branch moves with new versions, an alias deliberately, a tag never."""

    class Kind(models.TextChoices):
        BRANCH = "branch"
        TAG = "tag"
        ALIAS = "alias"

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="refs")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    name = models.CharField(max_length=100, validators=[validate_ref_name])
    version = models.ForeignKey(Version, models.PROTECT, related_name="refs")
    protected = models.BooleanField(default=False, help_text="Moved by maintainers only.")
    active = models.BooleanField(default=False, help_text="Kept ready as files for a serving process.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    move_id: int  # the move that put it there, where `refs_of` found the row

    class Meta:
        ordering = ["kind", "name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="one_ref_per_name")]
        indexes = [
            models.Index(fields=["model", "kind", "name"], name="refs_of_a_kind"),
            models.Index(fields=["model", "-updated_at"], name="refs_moved_last"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Metric(models.Model):
    """A number or a text logged to a version, with an optional step. Added, never changed."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="metrics")
    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    step = models.BigIntegerField(null=True, blank=True)
    value = models.FloatField(null=True, blank=True)
    text = models.CharField(max_length=1000, null=True, blank=True)  # noqa: DJ001 - null: it is a number
    latest = models.BooleanField(
        default=False, help_text="The one that stands for its name: no step, else the largest."
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MetricQuerySet.as_manager()

    class Meta:
        ordering = ["name", "step"]
        constraints = [
            models.UniqueConstraint(fields=["version", "name", "step"], name="one_value_per_step"),
            models.UniqueConstraint(fields=["version", "name"], condition=Q(step=None), name="one_value_without_step"),
            models.CheckConstraint(condition=Q(value=None) ^ Q(text=None), name="metric_is_number_or_text"),
        ]
        indexes = [
            models.Index(
                fields=["model", "name", "value", "version"], condition=Q(latest=True), name="ranks_by_metric"
            ),
            models.Index(fields=["model", "name", "version"], condition=Q(latest=True), name="metric_over_versions"),
            models.Index(fields=["version", "name"], condition=Q(latest=True), name="latest_metrics"),
            models.Index(fields=["version", "id"], name="metrics_as_logged"),
        ]

    def __str__(self) -> str:
        return f"{self.name} = {self.shown}"

    @property
    def shown(self) -> float | str:
        """The value, whichever kind it is."""
        return self.text if self.text is not None else self.value or 0.0
