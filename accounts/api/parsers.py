"""JSON bodies, within bounds: for every door of the API."""

from __future__ import annotations

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from accounts.errors import TooLarge


class BoundedJSON(JSONParser):
    """JSON of at most `limit` bytes, without NaN, and not nested to crash the reader."""

    limit = 2**20

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(self.limit + 1)
        if len(body) > self.limit:
            raise TooLarge("too_large", f"A JSON body has at most {self.limit:,} bytes here. Send files by uploads/.")
        return strict_json(body)


def strict_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; ParseError for what is none, NaN and nesting that crashes readers included."""
    try:
        return json.loads(text.decode() if isinstance(text, bytes) else text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise ParseError(f"This is no JSON: {error}") from None


def _refuse_constant(text: str) -> None:
    raise ParseError(f"{text} is no JSON number. Leave it out, or send it as a text.")
