"""A run: metrics and parameters collected while a model is trained, published with it. The sending is its client's.

A metric describes the version that is published next; what is logged after the last one describes that one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from lmvp.client import measurements, publication
from lmvp.client.errors import LeftOut, LMVPError, UnpublishedRun, ValidationFailed
from lmvp.client.http import encode
from lmvp.client.measurements import Metrics, Row, Series
from lmvp.client.spool import Spool
from lmvp.client.versions import Version

if TYPE_CHECKING:
    from typing_extensions import Self

    from lmvp.client.calls.running import Running

WITH_VERSION = 1000  # metrics that are sent with a version itself; the others follow in the background
BATCH = 1000
LARGEST_METADATA = 64 * 1024  # bytes that a server takes
# What is said of versions before there are any, and what it is where nothing is said.
SAID: dict[str, Any] = {
    "kind": "model",
    "message": None,
    "branch": "main",
    "alias": None,
    "tag": None,
    "derived_from": [],
}


@dataclass(frozen=True)
class Ending:
    """What is said of the versions of a run: `every` goes to each of them, `last` to the one at its end."""

    every: Mapping[str, Any]
    last: Mapping[str, Any]
    save_on_error: bool

    def said(self) -> dict[str, Any]:
        """Return what differs from what is meant when nothing is said, as JSON: for the process that goes on."""
        both = {**self.every, **self.last}
        sources = [publication.source_name(source) for source in publication.sources(both.pop("derived_from", ()))]
        both |= {"derived_from": sources}
        return {key: value for key, value in both.items() if key in SAID and value not in (None, SAID[key])}

    def after(self, earlier: Mapping[str, Any]) -> Ending:
        """Return the ending of a run that is gone on with: what was said then holds where nothing is said now."""
        there = {key: value for key, value in earlier.items() if key in SAID and key not in self.said()}
        every = {**self.every, **{key: value for key, value in there.items() if key in self.every}}
        last = {**self.last, **{key: value for key, value in there.items() if key in self.last}}
        return replace(self, every=every, last=last)


class Run:
    """Logs metrics, publishes versions; made by `lmvp.run(…)` and used in a `with` block.

    Everything that is logged is written to `path` at once, and that file is removed when all of it is published.
    """

    def __init__(
        self, client: Running, find: Callable[[], str], ending: Ending, metadata: Mapping[str, Any], resume: Path | None
    ) -> None:
        self.name = ""  # in full, from the beginning of the block
        self.version: Version | None = None  # the newest that it published
        self._client = client
        self._find = find
        self._ending = ending
        self._given = metadata
        self._resume = resume
        self._spool: Spool | None = None
        self._ended: Spool | None = None
        self._series = Series()
        self._params: dict[str, Any] = {}
        self._kept: list[Any] = []
        self._published_to = 0
        self._sending: list[Future[None]] = []
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="lmvp-run")

    @property
    def path(self) -> Path:
        """The file that holds what was logged until it is published."""
        return (self._ended or self._open).path

    @property
    def metadata(self) -> dict[str, Any]:
        """What `log_params` collected: the metadata of the versions to come."""
        return dict(self._params)

    def log(self, name: str | Mapping[str, Any], value: Any = None, *, step: int | None = None) -> None:
        """Log one value by its name, or several as a mapping. Returns at once; nothing is sent yet.

        Without a step, the values of a name are counted: 0, 1, 2 … The steps of a name grow; a value whose step does
        not, or that is not finite, is left out with a warning (LeftOut), so that no training ends for it.
        """
        for one, number in (name if isinstance(name, Mapping) else {name: value}).items():
            row, problem = self._series.row(str(one), number, step)
            if row:
                self._open.append(row)
            elif problem:
                warnings.warn(f"{problem} This is said once for each name.", LeftOut, stacklevel=2)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add to the metadata of the versions to come: settings, the name of the data … any JSON."""
        said = _as_metadata({**self._params, **params})
        self._open.append({"params": {key: said[key] for key in map(str, params)}})
        self._params = said

    def keep(self, source: object) -> None:
        """Say what is published at the end of the block: a path, or an object as it is then. The last one said counts."""
        self._kept = [source]

    def publish(
        self,
        source: object,
        *,
        message: str | None = None,
        metrics: Metrics | None = None,
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        tag: str | None = None,
    ) -> Version:
        """Publish a version now, with everything that the run logged so far. `metrics` are of this version alone."""
        said = {"message": message, "alias": alias, "tag": tag}
        return self._publish(source, metrics, metadata, {key: one for key, one in said.items() if one is not None})

    def __enter__(self) -> Self:
        self.name = self._find()
        if self._resume:
            self._spool = Spool.again(self._resume, self.name)
            self._take_up(self._spool)
        else:
            self._spool = Spool.begin(self.name)
        if said := self._ending.said():
            self._spool.append({"said": said})
        if self._given:
            self.log_params(self._given)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        published = False
        try:
            published = self._finish(self._ending.last) if error is None else self._break_off(error)
        finally:
            self._sender.shutdown()
            self._end(published)

    def _end(self, published: bool) -> None:
        self._ended, self._spool = self._open, None
        self._ended.close()
        if published:
            self._ended.remove()

    @property
    def _open(self) -> Spool:
        if self._spool is None:
            raise ValidationFailed("A run is open in its block alone. Use it as: with lmvp.run(…) as run:")
        return self._spool

    # --- Versions

    def _publish(
        self, source: object, metrics: Metrics | None, metadata: Mapping[str, Any] | None, said: Mapping[str, Any]
    ) -> Version:
        spool, end = self._open, self._open.end
        rows = [*measurements.rows(metrics), *islice(spool.metrics(0, end), WITH_VERSION)]
        metadata = {**self._params, **(metadata or {})}
        given = {**self._ending.every, **said}
        self.version = self._client.publish(self.name, source, metrics=rows, metadata=metadata, **given)
        spool.append({"published": self.version.number, "end": end})
        self._published_to = end
        self._send(self.version.number, islice(spool.metrics(0, end), WITH_VERSION, None))
        return self.version

    def _send(self, number: int, rows: Iterator[Row]) -> None:
        self._sending.append(self._sender.submit(self._log, number, rows))

    def _log(self, number: int, rows: Iterator[Row]) -> None:
        while batch := list(islice(rows, BATCH)):
            self._client.log_metrics(self.name, number, batch)
        self._open.append({"logged": number})

    # --- The end

    def _finish(self, last: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> bool:
        """Publish what is left, and return True: nothing has to be kept here any more."""
        try:
            if self._kept:
                self._publish(self._kept[0], None, metadata, last)
            elif self._waiting() and self.version:
                self._send(self.version.number, self._open.metrics(self._published_to))
            elif self._waiting() or (self._params and not self.version):
                self._nothing_kept()
            self._wait()
        except LMVPError as error:
            raise error.saying(f"{error.message} {self._where()}") from error
        return True

    def _break_off(self, error: BaseException) -> bool:
        """Publish only if that was asked for; never hide the error that ended the block. Return whether all is published."""
        failed = {"run": {"status": "failed", "error": type(error).__name__}}
        said = f"The run of {self.name} ended by {type(error).__name__}, and was not published"
        try:
            if self._ending.save_on_error and self._kept:
                return self._finish({}, failed)  # without alias and tag: what failed must not be served
            self._wait()
            if not self._waiting():
                return True
            said = f"{said}. {self._where()}"
        except LMVPError as second:
            said = f"{said}: {second.message}"
        warnings.warn(said, UnpublishedRun, stacklevel=3)
        return False

    def _wait(self) -> None:
        for sending in self._sending:
            sending.result()

    def _waiting(self) -> bool:
        """Whether metrics were logged that no version has."""
        return next(self._open.metrics(self._published_to), None) is not None

    def _where(self) -> str:
        return (
            f"What it logged is kept in {self.path}. Publish it: with lmvp.run({self.name!r}, "
            f"resume={str(self.path)!r}) as run: run.keep(…)"
        )

    def _nothing_kept(self) -> NoReturn:
        raise ValidationFailed(
            "The run has no version to publish its metrics with: say run.keep(model) or run.keep(path) in the block."
        )

    # --- Going on

    def _take_up(self, spool: Spool) -> None:
        """Read what an earlier process logged and published, and send what it did not get to send."""
        unsent: dict[int, int] = {}
        published = None
        for line in spool.lines():
            if "name" in line:
                self._series.take_up(line)
            elif "said" in line:
                self._ending = self._ending.after(line["said"])
            elif "params" in line:
                self._params.update(line["params"])
            elif "published" in line:
                published, self._published_to = line["published"], line["end"]
                unsent[published] = line["end"]
            elif "logged" in line:
                unsent.pop(line["logged"], None)
        if published is not None:
            self.version = self._client.version(self.name, published)
        for number, end in unsent.items():
            self._send(number, spool.metrics(0, end))


def _as_metadata(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as the server will have it; refuse now what it would refuse when the training is over."""
    text = encode(dict(said))
    if len(text) > LARGEST_METADATA:
        raise ValidationFailed(
            f"The metadata has {len(text):,} bytes; a version takes {LARGEST_METADATA:,}. Publish the rest as a file."
        )
    plain: dict[str, Any] = json.loads(text)
    return plain
