"""The media type of an object that is one file alone: as no `lmvp.json` stands beside it, parameters say how it is kept.

application/octet-stream; lmvp-format=skops; python=3.12.1; skops=0.16.0; scikit-learn=1.9.1
application/vnd.apache.parquet; lmvp-format=pandas; python=3.12.1; pandas=3.1.1

`lmvp-details` is what the format noted about the object, JSON in base 64; the other parameters are versions.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from lmvp.client.errors import UnknownFormat, ValidationFailed
from lmvp.client.formats import registry
from lmvp.client.formats.record import Record

LONGEST = 200  # characters that a server takes
FORMAT, DETAILS = "lmvp-format", "lmvp-details"
NAME, VALUE = re.compile(r"[A-Za-z0-9_.-]+"), re.compile(r"[A-Za-z0-9_.:+-]+")


def media_type_of(record: Record, base: str) -> str:
    """Return the media type `base` with what the record says; of the versions as many as there is room for.

    ValidationFailed where the format itself does not fit.
    """
    details = {DETAILS: _packed(record.details)} if record.details else {}
    said = _joined(base, {FORMAT: record.format, **details})
    if said is None:
        raise ValidationFailed(
            f"The format “{record.format}” has a name, or notes about this object, that no media type of {LONGEST} "
            "characters can say. Publish the object as a version, and name that: create_artifact(…, version=…)."
        )
    for name, version in record.versions.items():
        said = _joined(said, {name: version}) or said
    return said


def record_in(media_type: str) -> Record | None:
    """Return how an object of this media type is kept; None where it names no format.

    UnknownFormat for one that is not known here, and where the rest cannot be understood.
    """
    parameters = dict(_parameter(part) for part in media_type.split(";")[1:])
    name = parameters.pop(FORMAT, None)
    if name is None:
        return None
    one = registry.named(name)
    if one is None:
        raise UnknownFormat(
            f"The content is kept in the format “{name}”, which is not known here. Register it with "
            "lmvp.register_format(…), install the newest client, or take its bytes: to='bytes'."
        )
    details = _unpacked(parameters.pop(DETAILS, ""))
    file = one.file or f"content{next(iter(one.suffixes), '')}"
    return Record(name, file, "", parameters, details)


def _joined(media_type: str, parameters: Mapping[str, str]) -> str | None:
    """Return the media type with more parameters; None where they do not fit."""
    more = "".join(f"; {name}={value}" for name, value in parameters.items())
    fit = all(NAME.fullmatch(name) and VALUE.fullmatch(value) for name, value in parameters.items())
    return media_type + more if fit and len(media_type + more) <= LONGEST else None


def _parameter(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name.lower(), value


def _packed(details: Mapping[str, Any]) -> str:
    text = json.dumps(details, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _unpacked(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        details = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        details = None
    if not isinstance(details, dict):
        raise UnknownFormat(
            f"What the content's media type notes about the object ({DETAILS}) cannot be understood: it is damaged, or a "
            "newer client wrote it. Install the newest client, or take its bytes: to='bytes'."
        )
    return details
