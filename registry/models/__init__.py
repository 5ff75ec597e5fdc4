"""The tables of the registry, by noun."""

from registry.models.content import Blob, Occurrence, Tree, Upload
from registry.models.events import Event
from registry.models.idempotency import IdempotencyKey
from registry.models.lineage import Artifact, Derivation, Hierarchy
from registry.models.projects import Invitation, Membership, Project, Role, Visibility
from registry.models.ref_moves import RefMove
from registry.models.retention import RetentionRule
from registry.models.versions import (
    FormerModelName,
    Metric,
    Ref,
    RegisteredModel,
    Version,
    VersionParent,
)

__all__ = [
    "Artifact",
    "Blob",
    "Derivation",
    "Event",
    "FormerModelName",
    "Hierarchy",
    "IdempotencyKey",
    "Invitation",
    "Membership",
    "Metric",
    "Occurrence",
    "Project",
    "Ref",
    "RefMove",
    "RegisteredModel",
    "RetentionRule",
    "Role",
    "Tree",
    "Upload",
    "Version",
    "VersionParent",
    "Visibility",
]
