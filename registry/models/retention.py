"""How long a model keeps its versions by itself."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from registry.models.versions import RegisteredModel

MOST_VERSIONS, MOST_DAYS = 1_000_000, 36_500


class RetentionRule(models.Model):
    """A model's rule: a version stays while it is among the newest `keep_last`, or younger than `keep_days`."""

    model = models.OneToOneField(RegisteredModel, models.CASCADE, related_name="retention_rule")
    keep_last = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_VERSIONS)]
    )
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)]
    )
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(keep_last__gte=1) | Q(keep_days__gte=1), name="retention_rule_keeps_something"
            )
        ]

    def __str__(self) -> str:
        last = f"the newest {self.keep_last}" if self.keep_last else ""
        days = f"those of the last {self.keep_days} days" if self.keep_days else ""
        return f"{self.model} keeps {' and '.join(filter(None, (last, days)))}"
