"""What a merge brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmvp.client.tables import visible
from lmvp.client.versions import Version

if TYPE_CHECKING:
    from typing_extensions import Self

SAID = {
    "merged": "was made",
    "fast_forward": "is the branch's newest now; no new version was needed",
    "up_to_date": "has it all already",
}


@dataclass(frozen=True)
class Merge:
    """The branch's newest version now, and how that came: `outcome` is merged, fast_forward or up_to_date."""

    version: Version
    outcome: str

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Read the server's JSON; KeyError, TypeError or ValueError where it is something else."""
        return cls(Version.from_json(answer), answer["merge"])

    def __str__(self) -> str:
        return visible(f"{self.version} {SAID.get(self.outcome, self.outcome)}.")
