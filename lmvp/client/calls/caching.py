"""The cache of this machine: what is in it, what may go, whether it is whole. Asks no server."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from lmvp.client import pruning
from lmvp.client.cache import Cache
from lmvp.client.calls.connection import Connected
from lmvp.client.errors import ValidationFailed
from lmvp.client.pruning import CachedVersion, Pruned, Verified


class Caching(Connected):
    def list_cache(self) -> list[CachedVersion]:
        """Return the versions that were downloaded to the cache, the one that was used last first."""
        return pruning.cached_versions(Cache())

    def prune_cache(
        self, *, unused_days: float | None = None, max_size: int | None = None, dry_run: bool = False
    ) -> Pruned:
        """Take out of the cache the versions not used for so many days, and then, until it has at most `max_size` bytes,
        those used longest ago.

        Without either, only what no version needs: bytes that were left behind a day ago or longer. A version that is
        being downloaded stays. Paths that were given out for versions that go are gone.
        """
        if (unused_days or 0) < 0 or (max_size or 0) < 0:
            raise ValidationFailed("Days and sizes are not negative. Give 0 to take out everything.")
        work = pruning.Pruning(Cache(), pretend=dry_run)
        if unused_days is not None:
            work.unused_since(datetime.now(timezone.utc) - timedelta(days=unused_days))
        if max_size is not None:
            work.down_to(max_size)
        work.sweep()
        return work.pruned

    def verify_cache(self, *, progress: bool | None = None) -> Verified:
        """Read everything in the cache again. What is damaged is taken away, and fetched again when it is wanted."""
        return pruning.verify(Cache(), progress=progress)
