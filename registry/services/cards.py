"""Reading the card of a version, or the README.md of one of its directories. Who read it is told as a download."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry import cards, connections
from registry.diffs.tensors import exactly
from registry.models import Version
from registry.services import downloads
from registry.storage import open_ranges
from registry.trees import Entry

if TYPE_CHECKING:
    from registry.models.projects import Actor


@dataclass(frozen=True, slots=True)
class ReadCard:
    """A card, and whether the file goes on behind what was read."""

    card: cards.Card
    truncated: bool


def read_card(*, actor: Actor, version: Version, entry: Entry) -> ReadCard:
    """Return the card that a file of a version is: its first 512 KiB. Lost where its bytes are not there."""
    downloads.note(actor=actor, version=version)
    connections.release()  # from here on bytes are read
    with open_ranges(entry.digest) as file:
        raw = exactly(file, min(entry.size, cards.MAX_BYTES))
    truncated = entry.size > cards.MAX_BYTES
    # A character that was cut in two is left out, and what is no UTF-8 shown as such.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw, not truncated)
    return ReadCard(cards.read_card(text), truncated)
