"""What bodies are read by: a field that nobody knows is refused, because a misspelt guard would be no guard."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from copy import copy
from typing import Any

from rest_framework import serializers

from accounts.errors import Invalid


class Input(serializers.Serializer[Any]):
    """A serializer of a body. `also` are fields that something else reads."""

    also = frozenset({"csrfmiddlewaretoken"})

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return fields of this body's own. What is in lists is shared by all bodies: making it anew takes longer than reading."""
        return {name: copy(field) for name, field in self._declared_fields.items()}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            for name in data:
                if name not in self.fields and name not in self.also:
                    raise _unknown(str(name), (set(self.fields) | self.also) - {"csrfmiddlewaretoken"})
        return super().to_internal_value(data)


def _unknown(name: str, known: set[str]) -> Invalid:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean “{close[0]}”?" if close else f"There are: {', '.join(sorted(known))}."
    return Invalid("unknown_field", f"“{name}” is no field of this call. {hint}", fields={name: ["unknown"]})
