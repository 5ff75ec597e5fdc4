"""What a field for a revision suggests: the names of a model, and its newest versions."""

from __future__ import annotations

from dataclasses import dataclass

from registry.models import Ref, RegisteredModel

MOST_NAMES, MOST_VERSIONS = 60, 20


@dataclass(frozen=True, slots=True)
class Suggestion:
    value: str
    label: str


def suggested(model: RegisteredModel) -> list[Suggestion]:
    """Return names first, those moved last before the others, then the newest versions."""
    refs = Ref.objects.filter(model=model).order_by("-updated_at").values_list("name", "kind", "version__number")
    versions = model.versions.filter(trashed_at=None).defer("metadata_json").order_by("-number")[:MOST_VERSIONS]
    named = [Suggestion(name, f"{kind}, now v{number}") for name, kind, number in refs[:MOST_NAMES]]
    return named + [Suggestion(f"v{version.number}", version.title[:80]) for version in versions]


def branches_of(model: RegisteredModel) -> list[str]:
    """Return the branches that moved last, the default one first."""
    names = model.refs.filter(kind=Ref.Kind.BRANCH).exclude(name=model.default_branch).order_by("-updated_at")
    return [model.default_branch, *names.values_list("name", flat=True)[:MOST_NAMES]]
