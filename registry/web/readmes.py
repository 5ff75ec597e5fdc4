"""The README.md of a directory, as pages show it below the directory's entries; and what stands before its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse

from registry import markdown
from registry.cards import CARD
from registry.models import Version
from registry.services import blobs, cards
from registry.storage import Lost
from registry.trees import Entry

SHOWN = {
    "license": "License",
    "library_name": "Library",
    "pipeline_tag": "Task",
    "language": "Language",
    "datasets": "Datasets",
    "base_model": "Base model",
    "tags": "Tags",
}
MOST_WORDS = 12  # of one kind
LONGEST_WORD = 60


@dataclass(slots=True)
class Readme:
    """A rendered README.md, with what is to be said about it, and its front matter as words under headings."""

    path: str
    address: str
    html: str = ""
    problem: str = ""
    highlights: list[tuple[str, list[str]]] = field(default_factory=list)


def addresses(version: Version, revision: str, directory: str = "") -> markdown.Base:
    """Return where the relative links of a text in a directory lead, staying at the revision of the page."""
    model = version.model
    page = reverse("web:version", args=[model.project.name, model.name, revision])
    pictures = reverse("web:version", args=[model.project.name, model.name, version.number])
    return markdown.Base(f"{page}files/", f"{page}tree/", f"{pictures}raw/", directory)


def readme_of(request: HttpRequest, version: Version, revision: str, directory: str, entry: Entry) -> Readme:
    """Read and render a README.md. After all other queries of a page: it gives the database connection back."""
    base = addresses(version, revision, directory)
    path = f"{directory}/{CARD}" if directory else CARD
    readme = Readme(path, base.files + quote(path))
    try:
        read = cards.read_card(actor=request.user, version=version, entry=entry)
    except Lost:
        readme.problem = blobs.said_damaged().message
        return readme
    readme.html = markdown.render(read.card.text, base=base)
    readme.problem = read.card.problem
    readme.highlights = _highlights(read.card.metadata)
    return readme


def _highlights(metadata: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(words, found) for key, words in SHOWN.items() if (found := _words(metadata.get(key)))]


def _words(said: Any) -> list[str]:
    listed = said if isinstance(said, list) else [said]
    words = [str(one) for one in listed[:MOST_WORDS] if isinstance(one, str | int | float) and str(one).strip()]
    return [word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…" for word in words]
