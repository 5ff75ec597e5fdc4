"""Keeping active aliases ready as files: after each move, after renames and deletions, and when called to put all right.

The disk follows the database: each step reads the alias again under a lock of its own, so the last one shows the newest.
A move stands, whatever becomes of its files; what failed is logged, seen on the alias, and tried again by `put_right`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from registry import active, connections, trees
from registry.active import Key, Wanted
from registry.models import Occurrence, Project, Ref, RegisteredModel, Tree

logger = logging.getLogger("lmvp.activation")


def after_commit(*, model: RegisteredModel, alias: str) -> None:
    """Bring the files of an alias in line once the transaction is committed; at once where there is none."""
    transaction.on_commit(partial(_bring_all, [Key(model.pk, alias)]), robust=True)


def refresh(*, model: RegisteredModel) -> None:
    """The same for all aliases of a model: after it was renamed, put into the trash or taken out of it."""
    transaction.on_commit(lambda: _bring_all(_keys_of([model.pk])), robust=True)


def refresh_project(*, project: Project) -> None:
    """The same for all models of a project."""
    models = RegisteredModel.objects.filter(project=project).values_list("pk", flat=True)
    transaction.on_commit(lambda: _bring_all(_keys_of(models)), robust=True)


def healed(*, digest: str) -> None:
    """The same for all models that hold these bytes: where the damaged ones are served, the whole ones come instead."""
    transaction.on_commit(lambda: _bring_all(_keys_holding([digest])), robust=True)


def doubt(*, digests: Collection[str]) -> None:
    """Read again what is served by the models that hold these: files that share bytes with the store are damaged with it.

    What is damaged is logged, and served until the bytes are healed: then, or by `put_right`, it is made anew.
    """
    if digests:
        _bring_all(_keys_holding(digests), in_doubt=True)


def put_right() -> list[Key]:
    """Bring the files of all aliases in line, and remove what is no alias's; return those that could not be."""
    try:
        stands = {Key(pk, name) for pk, name in _active().values_list("model_id", "name")}
        return _bring_all(stands | active.known_keys())
    finally:
        connections.release()


def _active() -> QuerySet[Ref]:
    return Ref.objects.filter(kind=Ref.Kind.ALIAS, active=True)


def _keys_of(models: Iterable[int]) -> set[Key]:
    wanted = set(models)
    found = _active().filter(model__in=wanted).values_list("model_id", "name")
    return {Key(pk, name) for pk, name in found} | {key for key in active.known_keys() if key.model_id in wanted}


def _keys_holding(digests: Collection[str]) -> set[Key]:
    return _keys_of(Occurrence.objects.filter(digest__in=digests).values_list("model", flat=True).distinct())


def _bring_all(keys: Iterable[Key], *, in_doubt: bool = False) -> list[Key]:
    return [key for key in sorted(keys, key=str) if not _bring(key, in_doubt)]


def _bring(key: Key, in_doubt: bool) -> bool:
    """Show what the alias stands for now; False when the disk or the store did not let us."""
    connections.release()  # another process may hold the lock for as long as it copies
    try:
        with active.held(key):
            if in_doubt:
                active.doubt(key)
            active.show(key, _wanted(key))
    except Exception:
        logger.exception("The files of the alias %s of model %s are not up to date", key.alias, key.model_id)
        return False
    return True


def _wanted(key: Key) -> Wanted | None:
    refs = _active().filter(model=key.model_id, name=key.alias, model__trashed_at=None, model__project__trashed_at=None)
    ref = refs.select_related("version", "model__project").first()
    if ref is None:
        return None
    return Wanted(address_of(ref), ref.version.number, ref.version.digest, partial(_files, ref.version.tree_id))


def address_of(ref: Ref) -> str:
    """Return where below LMVP_ACTIVE_ROOT the files of an alias stand."""
    return f"{ref.model.project.name}/{ref.model.name}/{ref.name}"


def _files(tree: str) -> list[trees.Place]:
    places = trees.files_between(Tree.objects.contents_of, tree)
    connections.release()  # from here on bytes travel
    return places
