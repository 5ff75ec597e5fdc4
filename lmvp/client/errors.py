"""What can go wrong, as types. Every message ends with the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class LMVPError(Exception):
    """Anything that LMVP refuses or cannot do. `code` is a stable word, `status` the HTTP status where there is one."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status
        self.fields = dict(fields or {})

    def saying(self, message: str) -> Self:
        """Return the same error in other words."""
        return type(self)(message, code=self.code, status=self.status, fields=self.fields)


class DeprecatedVersion(UserWarning):
    """A warning, no error: the version works, and its maintainers say why it should not be used any more."""


class UnpublishedRun(UserWarning):
    """A warning: a run ended without publishing what it logged; it says where that is kept."""


class LeftOut(UserWarning):
    """A warning: a value was not logged, because no version can have it."""


class AuthenticationError(LMVPError):
    """Not signed in, or the credentials are wrong, expired or revoked."""


class PermissionDenied(LMVPError):
    """You may see it, and may not do this to it."""


class SignInNeeded(PermissionDenied):
    """An access token cannot do this: sign in with the password."""


class NotFound(LMVPError):
    """It does not exist, or you may not see it."""


class Conflict(LMVPError):
    """The state on the server is another one than you believed, for example a newer version."""


class StaleParent(Conflict):
    """The branch is at another version than you expected; `head` is {number, digest} of the one it is at."""

    @property
    def head(self) -> Mapping[str, Any]:
        return _object(self.fields.get("head"))


class StaleRef(Conflict):
    """A name does not stand where you expected; `current` is the number of the version where it stands, None: nowhere."""

    @property
    def current(self) -> int | None:
        return self.fields.get("current")


class AlreadyExists(Conflict):
    """Something has this name, or had it."""


class MetricExists(Conflict):
    """Another value stands under this name and step, and does not change."""


class InUse(Conflict):
    """Something stands on it: names of a version (`refs`), artifacts below one, a project's last owner."""

    @property
    def refs(self) -> list[Any]:
        return list(self.fields.get("refs") or [])


class MergeConflict(Conflict):
    """Both sides changed these `paths`, each differently. `conflicts` gives for each {path, base, source, target}, a side
    being {digest, size, mode} or None where the file is not there; `count` tells of all.
    """

    @property
    def conflicts(self) -> list[Mapping[str, Any]]:
        return [_object(one) for one in self.fields.get("conflicts") or []]

    @property
    def paths(self) -> list[str]:
        return [str(one.get("path")) for one in self.conflicts]

    @property
    def count(self) -> int:
        return int(self.fields.get("count") or len(self.conflicts))

    def digests(self, path: str) -> tuple[str | None, str | None]:
        """Return the SHA-256 of the source's and of the target's file; None where it is not there. KeyError: no conflict."""
        one = {str(one.get("path")): one for one in self.conflicts}[path]
        source, target = (_object(one.get(side)).get("digest") for side in ("source", "target"))
        return source, target


class Purged(LMVPError):
    """Its time in the trash was over; it is gone for good."""


class ValidationFailed(LMVPError):
    """What was given cannot be taken as it is."""

    code = "invalid"


class AmbiguousName(ValidationFailed):
    """A name without its project fits several models; `fields["models"]` lists them."""

    code = "ambiguous_name"


class Throttled(LMVPError):
    """Too many attempts; wait."""


class ServerError(LMVPError):
    """The server, or a proxy in front of it, failed."""


class StorageFull(ServerError):
    """The server has no room for these bytes now."""


class QuotaExceeded(StorageFull):
    """A project, or you, may hold `limit` bytes and hold `used` of them, and `wanted` more do not fit. The message says whom to ask."""

    @property
    def limit(self) -> int:
        return int(self.fields.get("limit") or 0)

    @property
    def used(self) -> int:
        return int(self.fields.get("used") or 0)

    @property
    def wanted(self) -> int:
        return int(self.fields.get("wanted") or 0)


class ConnectionFailed(LMVPError):
    """The server cannot be reached, or the connection broke."""

    code = "connection_failed"


class Offline(ConnectionFailed):
    """The server was not asked, because it was said that there is no connection; and what is wanted is not here."""

    code = "offline"


class NotLMVPServer(LMVPError):
    """Something answered at the address, and it does not speak as LMVP does."""

    code = "not_lmvp"


class IntegrityError(LMVPError):
    """Bytes that arrived are not the bytes that were published."""

    code = "digest_mismatch"


class LocalFileError(LMVPError):
    """A file on this machine cannot be read, written or taken."""

    code = "local_file"


class UnknownFormat(LMVPError):
    """There is no loader for this file."""

    code = "unknown_format"


class NotTrusted(LMVPError):
    """Loading this file would run code in it, and nobody has said that its author is trusted."""

    code = "not_trusted"


_OF_STATUS: dict[int, type[LMVPError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: Throttled,
    507: StorageFull,
}
_OF_CODE: dict[str, type[LMVPError]] = {
    "has_children": InUse,
    "last_owner": InUse,
    "merge_conflict": MergeConflict,
    "metric_exists": MetricExists,
    "name_taken": AlreadyExists,
    "named_by_refs": InUse,
    "parent_moved": StaleParent,
    "purged": Purged,
    "quota_exceeded": QuotaExceeded,
    "ref_exists": AlreadyExists,
    "ref_moved": StaleRef,
    "sign_in_needed": SignInNeeded,
    "tag_exists": AlreadyExists,
}


def of_status(status: int, code: object = None) -> type[LMVPError]:
    """Return the type for an HTTP status of 400 or more, and the code that came with it."""
    known = _OF_CODE.get(code) if isinstance(code, str) else None
    return known or _OF_STATUS.get(status, ServerError if status >= 500 else ValidationFailed)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
