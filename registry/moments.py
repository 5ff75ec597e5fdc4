"""Times as people write them. Pure."""

from __future__ import annotations

from datetime import datetime, time, timezone

from django.utils.dateparse import parse_date, parse_datetime

from registry.errors import Invalid


def read_moment(text: str) -> datetime:
    """Return the time that a text names, in UTC where it says no zone; of a date alone the last moment of that day.

    Raises Invalid for what is no time.
    """
    try:
        if day := parse_date(text):
            return datetime.combine(day, time.max, timezone.utc)
        found = parse_datetime(text.replace(" ", "+") if "T" in text else text)  # a bare “+” in a query is a space
        if found:
            return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        pass
    raise Invalid(
        "invalid_time",
        f"“{text[:100]}” is no time. Write it like 2026-03-03T12:00:00Z, or 2026-03-03 for the end of that day in UTC.",
    )
