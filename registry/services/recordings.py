"""What somebody says of an artifact: its data, content and version, looked up and checked. Writes no artifact."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from accounts.models import User
from registry import typed_data
from registry.digests import SHA256, TooDeep, canonical_json, check_levels
from registry.errors import Invalid
from registry.incoming import Incoming
from registry.models import Artifact, Blob, Project, Version
from registry.services import blobs, quotas, refs, uploads
from registry.services.registered_models import find_model
from registry.typed_data import BYTES, BadData

MOST_DATA_BYTES = 64 * 1024
MOST_DATA_LEVELS = 100  # what every reader of JSON takes


class Keep(enum.Enum):
    """What is not said: of an artifact that is there, it stays as it is; a new one has none."""

    AS_IS = enum.auto()


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes of an artifact by their SHA-256; the size where it is known already."""

    sha256: str
    media_type: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """What somebody says of an artifact. `project` and `hierarchy` are names, `version` is “project/model@revision”.

    A child takes project and hierarchy from its parent.
    """

    data: Mapping[str, Any]
    project: str | None = None
    hierarchy: str | None = None
    parent_id: str | Keep | None = Keep.AS_IS
    content: Content | Keep | None = Keep.AS_IS
    version: str | Keep | None = Keep.AS_IS


def columns_of(actor: User, project: Project, recording: Recording, arrived: Sequence[Incoming]) -> dict[str, Any]:
    """Return the columns that a recording names, checked; bytes that arrived are kept last."""
    data = _checked_data(recording.data)
    columns: dict[str, Any] = {"data": data}
    if not isinstance(recording.version, Keep):
        columns["version_id"] = named_version(actor, recording.version).pk if recording.version else None
    if isinstance(recording.content, Keep):
        return columns
    if recording.content is None:
        return columns | {"content_id": None, "content_type": ""}
    columns["content_type"] = _media_type(recording.content, data)
    _check_content(recording.content, data)
    uploads.keep_files(actor=actor, project=project, files=arrived)
    return columns | {"content_id": _blob(actor, recording.content, data).pk}


def _checked_data(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        check_levels(data, MOST_DATA_LEVELS)
        size = len(canonical_json(data).encode())
    except TooDeep:
        raise Invalid("invalid_data", f"Data are nested at most {MOST_DATA_LEVELS} levels deep.") from None
    except (ValueError, RecursionError):
        raise Invalid(
            "invalid_data", "Data must be JSON without NaN, infinities and broken Unicode; write them as texts."
        ) from None
    if size > MOST_DATA_BYTES:
        raise Invalid(
            "data_too_large", f"Data have at most {MOST_DATA_BYTES:,} bytes. Send what is larger as `content`."
        )
    try:
        typed_data.check(data)
    except BadData as error:
        raise Invalid(
            "invalid_data", f"data.{error.field}: {error}", fields={f"data.{error.field}": [str(error)]}
        ) from error
    return dict(data)


def named_version(actor: User, text: str) -> Version:
    """Return the version of “project/model@revision”; the same error for one that is not there and one not readable."""
    place, _, revision = text.rpartition("@")
    project, _, model = place.partition("/")
    try:
        return refs.find_version(find_model(actor=actor, project=project, name=model), revision)
    except (ObjectDoesNotExist, Invalid):
        raise Invalid(
            "unknown_version", f"There is no version “{text}” that you may see. Write it as project/model@revision."
        ) from None


def _media_type(content: Content, data: Mapping[str, Any]) -> str:
    said = data.get("content_type")
    media_type = content.media_type if content.media_type not in ("", BYTES) else said or BYTES
    if not isinstance(media_type, str) or not typed_data.is_media_type(media_type):
        raise Invalid("invalid_content_type", "A content type is a media type like text/csv, 200 characters at most.")
    return media_type


def _check_content(content: Content, data: Mapping[str, Any]) -> None:
    """Refuse what is wrong before any byte is kept."""
    if not SHA256.fullmatch(content.sha256):
        raise Invalid("invalid_digest", f"{content.sha256!r} is no SHA-256: 64 lower-case hex digits.")
    if data.get("content") is not None:
        raise _two_contents()
    if content.size is not None:
        _check_size(content.size, data)


def _check_size(size: int, data: Mapping[str, Any]) -> None:
    said = data.get("content_size")
    if isinstance(said, int) and said != size:
        raise Invalid("size_mismatch", f"`content_size` says {said:,} bytes, and the content has {size:,}.")


def _blob(actor: User, content: Content, data: Mapping[str, Any]) -> Blob:
    blob = Blob.objects.readable_by(actor, [content.sha256]).first()
    if blob is None:
        raise _unknown_blob(content.sha256)
    _check_size(blob.size, data)
    return blob


def require_room(actor: User, project: Project, columns: Mapping[str, Any]) -> None:
    """Refuse content that takes the project, or the actor, over a quota. Before its blob is locked."""
    digest = columns.get("content_id")
    if digest and quotas.quotas_of(actor=actor, project=project):
        sizes = dict(Blob.objects.filter(pk=digest).values_list("pk", "size"))
        quotas.require_to_publish(actor=actor, project=project, sizes=sizes)


def hold(columns: Mapping[str, Any]) -> None:
    """Lock the content against the collector until the row that names it is committed."""
    digest = columns.get("content_id")
    if digest and not blobs.refresh(digests=[digest]):
        raise _unknown_blob(digest)


def _unknown_blob(digest: str) -> Invalid:
    return Invalid(
        "unknown_blob",
        "The bytes of the content are not here. Ask for an upload with POST …/uploads/, send them, and record it again.",
        fields={"content": [digest]},
    )


def refuse_two_contents(artifact: Artifact) -> None:
    """Refuse what has become of an artifact when there are bytes, and a content in the data beside them."""
    if artifact.content_id and artifact.data.get("content") is not None:
        raise _two_contents()


def _two_contents() -> Invalid:
    return Invalid(
        "two_contents",
        "There are bytes and a `content` in the data. Leave one out; `content: null` takes the bytes away.",
    )
