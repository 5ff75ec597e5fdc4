"""What makes publishing again the same as publishing once."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from registry.models.versions import RegisteredModel, Version


class IdempotencyKey(models.Model):
    """What a publisher's key stood for, so that the same call again is the same version."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    body_sha256 = models.CharField(max_length=64)
    version = models.ForeignKey(Version, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "model", "key"], name="one_version_per_key")]

    def __str__(self) -> str:
        return self.key
