"""What the activity page can be asked for: by whom, what, to what, when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms

from registry import sentences

# What an account does stands in no project's log.
ELSEWHERE = ("blob", "group", "password", "sign_in", "token", "user")


def _actions() -> list[tuple[str, Any]]:
    """Return all actions in groups, each with one choice for the whole of it."""
    groups: dict[str, list[str]] = {}
    for action in sentences.actions():
        if action.partition(".")[0] not in ELSEWHERE:
            groups.setdefault(action.partition(".")[0], []).append(action)
    shown = []
    for noun, actions in groups.items():
        verbs = [(action, f"{noun} {action.partition('.')[2].replace('_', ' ')}") for action in actions]
        shown.append((noun, [(f"{noun}.", f"{noun}: all"), *verbs] if len(verbs) > 1 else verbs))
    return [("", "all that was done"), *shown]


def _day(label: str) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}))


class EventFilter(forms.Form):
    actor = forms.CharField(
        label="Who", required=False, max_length=39, widget=forms.TextInput(attrs={"list": "people", "size": 14})
    )
    action = forms.ChoiceField(label="Did what", required=False, choices=_actions)
    subject = forms.CharField(
        label="To what", required=False, max_length=300, widget=forms.TextInput(attrs={"placeholder": "the beginning"})
    )
    since = _day("From")
    until = _day("To")

    def wanted(self) -> dict[str, Any]:
        """Return what to ask the log for: `until` is the end of its day."""
        said = {name: value for name, value in self.cleaned_data.items() if value}
        if "since" in said:
            said["since"] = _midnight(said["since"])
        if "until" in said:
            said["until"] = _midnight(said["until"]) + timedelta(days=1)
        return said


def _midnight(day: date) -> datetime:
    return datetime.combine(max(date(1970, 1, 1), min(day, date(9000, 1, 1))), time.min, UTC)
