"""Publishing: from a list of paths and digests to an immutable version, atomically."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from accounts.models import User
from lmvp.inserting import insert
from lmvp.watching import tallies
from registry import trees
from registry.digests import SHA256, TooDeep, canonical_json, check_levels, digest_bytes
from registry.errors import Busy, Conflict, Invalid
from registry.incoming import Incoming
from registry.models import Blob, IdempotencyKey, Ref, RegisteredModel, Tree, Version
from registry.permissions import Action, require
from registry.services import blobs, commits, derivations, metrics, quotas, refs, uploads
from registry.trees import BadPath, Built, Entry

MOST_METADATA_BYTES = 64 * 1024
MOST_METADATA_LEVELS = 100  # what every reader of JSON takes
MOST_MESSAGE_CHARACTERS = 10_000
MOST_KEY_CHARACTERS = 200
OPTIMISTIC_TRIES = 3  # trees built before the lock is taken; then once more under it


@dataclass(frozen=True, slots=True)
class File:
    """A file of a version: where it stands and the SHA-256 of its bytes."""

    path: str
    sha256: str
    mode: str = trees.FILE


@dataclass(frozen=True, slots=True)
class Publication:
    """What somebody wants to publish.

    `branch` is the default one when left out. `parent` is the head that the publisher expects (None: whatever it is).
    With `base` "parent" the files are put over the parent's tree and `remove` taken out of it; with "empty" they are
    all there is.
    """

    message: str = ""
    branch: str = ""
    parent: str | None = None
    files: Sequence[File] = ()
    base: str = "parent"
    remove: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[metrics.Measured] = ()
    tag: str | None = None
    alias: str | None = None
    derived_from: Sequence[str] = ()  # project/model@revision, of other models
    idempotency_key: str = ""

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything but the key: the same body, however it was spelled."""
        said: list[Any] = [self.message, self.branch, self.parent, self.base, list(self.remove), dict(self.metadata)]
        said += [self.tag, self.alias, [[file.path, file.sha256, file.mode] for file in self.files]]
        said += [[[one.name, one.value, one.step] for one in self.metrics]]
        said += [list(self.derived_from)] if self.derived_from else []  # keys from before there was this still fit
        return digest_bytes(canonical_json(said).encode())


@dataclass(frozen=True, slots=True)
class _Draft:
    """A publication whose parts have been checked, before it stands on a head."""

    publication: Publication
    entries: Mapping[str, Entry]
    removed: Sequence[str]
    metadata_json: str
    sources: Sequence[Version] = ()


class _HeadMoved(Exception):
    """Somebody else published between building the tree and taking the lock."""


def publish_version(
    *, actor: User, model: RegisteredModel, publication: Publication, arrived: Sequence[Incoming] = ()
) -> tuple[Version, bool]:
    """Publish a version; return it, and whether it is new (False: the same call had been made before).

    `arrived` are files that came in the same call; they are kept once all that can be checked has been.
    Raises Conflict (parent_moved with the current head, idempotency_mismatch, tag_exists), Invalid (unknown_blob lists
    the files whose bytes have to be sent; paths, metadata, metrics and sources that cannot be kept), StorageFull
    (quota_exceeded). Nothing is left then.
    """
    require(actor, Action.PUBLISH, model.project)
    if publication.tag or publication.alias:
        require(actor, Action.MOVE_REF, model.project)
    publication = replace(publication, branch=publication.branch or model.default_branch)
    draft = _check(publication)
    refs.require_movable(actor=actor, model=model, names=_names(publication))
    repeated = _by_key(actor, model, publication)
    if repeated:
        return repeated, False
    sources = derivations.find_sources(actor=actor, model=model, named=publication.derived_from)
    uploads.keep_files(actor=actor, project=model.project, model=model, files=arrived)
    draft = replace(_with_sizes(actor, draft), sources=sources)
    for attempt in range(OPTIMISTIC_TRIES + 1):
        try:
            return _publish(actor, model, draft, built_under_lock=attempt == OPTIMISTIC_TRIES)
        except (_HeadMoved, Tree.DoesNotExist):
            continue  # or the collector took a directory after it was saved, and before this version named it
    raise Busy("being_deleted", "Directories of this version are being cleaned up just now. Publish it again.")


def _publish(actor: User, model: RegisteredModel, draft: _Draft, *, built_under_lock: bool) -> tuple[Version, bool]:
    head = _expected_head(model, draft.publication)
    built = None if built_under_lock else _build(head, draft)
    if built:
        commits.save_trees(built)
    sizes = {entry.digest: entry.size for entry in draft.entries.values()}
    with transaction.atomic():
        quotas.require_to_publish(actor=actor, project=model.project, model=model, sizes=sizes)
        model = commits.lock_model(model)
        require(actor, Action.PUBLISH, model.project)  # again: who was removed while the files came publishes no more
        derivations.refuse_deleted(draft.sources)
        repeated = _by_key(actor, model, draft.publication)
        if repeated:
            return repeated, False
        now = commits.head_of(model, draft.publication.branch)
        start = now or _start_of_branch(model, draft.publication)
        if draft.publication.parent is not None:
            if start is None or head is None or start.pk != head.pk:
                return _same_or_conflict(actor, start, head, built or _build(head, draft), draft)
        elif built and draft.publication.base == "parent" and _pk(start) != _pk(head):
            raise _HeadMoved
        if built is None:
            built = _build(start, draft)
            commits.save_trees(built)
        version = _write(actor, model, start, built, draft)
    tallies.publishes.inc()
    return version, True


def _expected_head(model: RegisteredModel, publication: Publication) -> Version | None:
    if publication.parent is not None:
        return refs.find_version(model, publication.parent)
    return commits.head_of(model, publication.branch) or _start_of_branch(model, publication)


def _start_of_branch(model: RegisteredModel, publication: Publication) -> Version | None:
    """Return where a branch that is not there yet begins: at the named parent, else at the default branch's head."""
    if publication.parent is not None:
        return refs.find_version(model, publication.parent)
    return commits.head_of(model, model.default_branch)


def _pk(version: Version | None) -> int | None:
    return version.pk if version else None


# --- Checking what was said


def _check(publication: Publication) -> _Draft:
    if publication.base not in ("parent", "empty"):
        raise Invalid("invalid_base", "`base` is “parent” (change the parent's files) or “empty” (these files alone).")
    if len(publication.message) > MOST_MESSAGE_CHARACTERS:
        raise Invalid("message_too_long", f"A message has at most {MOST_MESSAGE_CHARACTERS:,} characters.")
    if len(publication.idempotency_key) > MOST_KEY_CHARACTERS:
        raise Invalid("invalid_idempotency_key", f"An Idempotency-Key has at most {MOST_KEY_CHARACTERS} characters.")
    for name in _names(publication):
        refs.check_name(name)
    metrics.check(publication.metrics)
    entries: dict[str, Entry] = {}
    try:
        for file in publication.files:
            path = trees.clean_path(file.path)
            if path in entries:
                raise BadPath("duplicate_path", path, f"{path!r} is there twice. Send each path once.")
            entries[path] = Entry("", _mode(file), _sha256(file), 0)
        removed = [trees.clean_path(path) for path in publication.remove]
        trees.apply_changes(_nothing, None, put=entries)  # collisions among the files themselves
    except BadPath as error:
        raise _said(error) from error
    return _Draft(publication, entries, removed, _metadata_json(publication.metadata))


def _names(publication: Publication) -> list[str]:
    return [name for name in (publication.branch, publication.tag, publication.alias) if name]


def _mode(file: File) -> str:
    if file.mode not in (trees.FILE, trees.EXECUTABLE):
        raise Invalid("invalid_mode", f"{file.path!r}: a mode is 100644 or 100755, not {file.mode!r}.")
    return file.mode


def _sha256(file: File) -> str:
    if not SHA256.fullmatch(file.sha256):
        raise Invalid("invalid_digest", f"{file.path!r}: {file.sha256!r} is no SHA-256: 64 lower-case hex digits.")
    return file.sha256


def _metadata_json(metadata: Mapping[str, Any]) -> str:
    try:
        check_levels(metadata, MOST_METADATA_LEVELS)
        text = canonical_json(dict(metadata))
    except TooDeep:
        raise Invalid("invalid_metadata", f"Metadata is nested at most {MOST_METADATA_LEVELS} levels deep.") from None
    except (ValueError, RecursionError):
        raise Invalid(
            "invalid_metadata", "Metadata must be JSON without NaN, infinities and broken Unicode; write them as texts."
        ) from None
    if len(text.encode()) > MOST_METADATA_BYTES:
        raise Invalid(
            "metadata_too_large",
            f"Metadata has at most {MOST_METADATA_BYTES:,} bytes. Put more into a file of the version.",
        )
    return text


def _said(error: BadPath) -> Invalid:
    return Invalid(error.code, str(error), fields={"path": error.path})


def _nothing(digests: Collection[str]) -> dict[str, bytes]:
    raise AssertionError("a tree from nothing loads nothing")


def _with_sizes(actor: User, draft: _Draft) -> _Draft:
    """Return the draft with each file's size; Invalid where the actor may not read a file's bytes, or they are unknown."""
    digests, sizes = sorted({entry.digest for entry in draft.entries.values()}), dict[str, int]()
    for start in range(0, len(digests), blobs.BATCH):
        sizes.update(Blob.objects.sizes_readable_by(actor, digests[start : start + blobs.BATCH]))
    missing = [path for path, entry in draft.entries.items() if entry.digest not in sizes]
    if missing:
        raise _unknown_blobs(missing)
    entries = {path: Entry("", entry.mode, entry.digest, sizes[entry.digest]) for path, entry in draft.entries.items()}
    return _Draft(draft.publication, entries, draft.removed, draft.metadata_json)


def _unknown_blobs(paths: Sequence[str]) -> Invalid:
    return Invalid(
        "unknown_blob",
        f"The bytes of {len(paths):,} file(s) are not here. Ask for uploads, send them, and publish again.",
        fields={"files": list(paths)[:1000]},
    )


# --- The same call again


def _by_key(actor: User, model: RegisteredModel, publication: Publication) -> Version | None:
    if not publication.idempotency_key:
        return None
    kept = (
        IdempotencyKey.objects.select_related("version")
        .filter(actor=actor, model=model, key=publication.idempotency_key)
        .first()
    )
    if kept and kept.body_sha256 != publication.fingerprint():
        raise Conflict(
            "idempotency_mismatch", "This Idempotency-Key was used for something else. Use a new key for a new version."
        )
    if kept and kept.version.trashed_at:
        raise Conflict(
            "in_trash",
            f"This call made version {kept.version.number}, which is in the trash. Take it back, or use a new key.",
        )
    return kept.version if kept else None


def _same_or_conflict(
    actor: User, now: Version | None, expected: Version | None, built: Built, draft: _Draft
) -> tuple[Version, bool]:
    """Return the head when it is this very publication, sent before; Conflict with the head otherwise."""
    parents = [parent.pk for parent in now.parents] if now else []
    if (
        now
        and expected
        and parents == [expected.pk]
        and (now.tree_id, now.author_id, now.message, now.metadata_json)
        == (built.root.digest, actor.pk, draft.publication.message, draft.metadata_json)
        and derivations.sources_of(now) == list(draft.sources)
    ):
        return now, False
    head = {"number": now.number, "digest": now.digest} if now else None
    raise Conflict(
        "parent_moved",
        f"“{draft.publication.branch}” is at version {now.number if now else 'none'} now, not at the parent that you named."
        " Look at what came in between, and publish on top of it.",
        fields={"head": head},
    )


# --- Writing


def _build(head: Version | None, draft: _Draft) -> Built:
    base = head.tree_id if head and draft.publication.base == "parent" else None
    try:
        built = trees.apply_changes(Tree.objects.contents_of, base, put=draft.entries, remove=draft.removed)
    except BadPath as error:
        raise _said(error) from error
    if not built.root.files:
        raise Invalid("no_files", "A version holds at least one file. Name the files to publish.")
    return built


def _write(actor: User, model: RegisteredModel, parent: Version | None, built: Built, draft: _Draft) -> Version:
    publication = draft.publication
    _hold_blobs(draft)
    commit = commits.Commit(
        tree=built.root.digest,
        parents=[parent] if parent else [],
        branch=publication.branch,
        message=publication.message,
        metadata_json=draft.metadata_json,
        sources=draft.sources,
        detail={"sources": len(draft.sources)} if draft.sources else {},  # by number: not all readers may see them
    )
    version = commits.write_version(actor=actor, model=model, commit=commit)
    version.tree = Tree(pk=built.root.digest, files=built.root.files, size=built.root.size)  # its figures are known
    metrics.add(actor=actor, version=version, measured=publication.metrics, first=True)
    _name(actor, version, publication)
    if publication.idempotency_key:
        key, body = publication.idempotency_key, publication.fingerprint()
        insert(IdempotencyKey(actor=actor, model=model, key=key, body_sha256=body, version=version))
    return version


def _hold_blobs(draft: _Draft) -> None:
    """Lock the blobs against the collector until the occurrences are committed."""
    digests = {entry.digest for entry in draft.entries.values()}
    gone = digests - blobs.refresh(digests=digests)
    if gone:
        raise _unknown_blobs([path for path, entry in draft.entries.items() if entry.digest in gone])


def _name(actor: User, version: Version, publication: Publication) -> None:
    for kind, name in ((Ref.Kind.TAG, publication.tag), (Ref.Kind.ALIAS, publication.alias)):
        if name:
            move = refs.Move(kind, name, str(version.number), comment=version.title[:1000])
            refs.place(actor=actor, version=version, move=move)
