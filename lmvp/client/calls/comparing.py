"""Versions against each other: two, one file of two, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from lmvp.client.calls.connection import Connected, Revision, quoted
from lmvp.client.errors import NotFound
from lmvp.client.naming import ModelName
from lmvp.client.results.comparing import Comparison, FileComparison, SideBySide


class Comparing(Connected):
    def compare(self, name: str, base: Revision, head: Revision = "latest") -> Comparison:
        """Return what became of the files, the metadata and the metrics from one version to another."""
        model = self._names.resolve(name)
        try:
            return self._ask(Comparison, "GET", _compared(model, base, head))
        except NotFound:
            self._fetched(model, base)  # says which of the two is missing, and what may have been meant
            self._fetched(model, head)
            raise

    def compare_file(
        self,
        name: str,
        path: str,
        *,
        base: Revision,
        head: Revision = "latest",
        read_bytes: bool | None = None,
    ) -> FileComparison:
        """Return what became of one file: its lines, or its tensors.

        Tensors are compared byte by byte until 2 GiB were read; `read_bytes` True: all of them, False: headers alone.
        """
        model = self._names.resolve(name)
        params = {} if read_bytes is None else {"bytes": str(read_bytes).lower()}
        address = f"{_compared(model, base, head)}files/{quoted(path)}"
        try:
            return self._ask(FileComparison, "GET", address, params=params)
        except NotFound as error:
            one, other = self._fetched(model, base), self._fetched(model, head)
            raise error.saying(
                f"Neither v{one.number} nor v{other.number} of {model} has a file “{path}”. See what differs: "
                f"lmvp.compare({str(model)!r}, {one.number}, {other.number}) / `lmvp diff {model} {one.number} {other.number}`."
            ) from error

    def side_by_side(self, name: str, revisions: Sequence[Revision], *, differing: bool = False) -> SideBySide:
        """Return 2 to 20 versions as columns, their metrics and metadata as rows; `differing`: only what differs."""
        model = self._names.resolve(name)
        params = {"versions": ",".join(map(str, revisions)), **({"differing": "true"} if differing else {})}
        with self._names.explained(model):
            return self._ask(SideBySide, "GET", f"{model.path}compare/", params=params)


def _compared(model: ModelName, base: Revision, head: Revision) -> str:
    return f"{model.path}compare/{quote(str(base), safe='')}...{quote(str(head), safe='')}/"
