"""Lines of the audit log as sentences: who did what to what, from what to what. What a part leads to, the pages say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

VERSION = re.compile(r"([^/]+)/(.+) v([0-9]+)")
MODEL = re.compile(r"([^/]+)/(.+)")
REF = re.compile(r"([^/]+)/([^@]+)@(.+)")
LONGEST = 200  # characters of a text that somebody wrote


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence; `thing` and `names` say what it names, where it names something that can be looked at.

    Things: project, model, version, branch, tag, alias, artifact, person, trash, project-trash, model-trash.
    """

    text: str
    thing: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a line says. `actor` is empty for what nobody did: a rule, the server itself."""

    action: str
    subject: str
    actor: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        return self.action.partition(".")[0]


Pieces = Iterable[str | Part]


def words_of(told: Told) -> list[Part]:
    """Return the sentence after the name of who did it. An action without words of its own is said as it is recorded."""
    pieces = MANY[told.action](told) if told.action in MANY else _few(told, FEW.get(told.action))
    return [piece if isinstance(piece, Part) else Part(piece) for piece in pieces if piece]


def has_words(action: str) -> bool:
    return action in MANY or action in FEW


def actions() -> list[str]:
    """Return all actions that have words, by what they are done to."""
    return sorted(MANY.keys() | FEW.keys())


def _few(told: Told, words: str | None) -> Pieces:
    if words is None:
        return [f"did “{told.action}” to ", _subject(told)]
    begin, _, end = words.partition("{}")
    return [begin, _subject(told), end]


# --- What it was done to


def _subject(told: Told) -> Part:
    part, gone = _named(told), told.action.endswith((".purged", ".deleted", ".trashed")) and told.noun != "retention"
    return Part(part.text) if gone else part


def _named(told: Told) -> Part:
    noun, subject = told.noun, told.subject
    if noun in ("version", "metrics") and (found := VERSION.fullmatch(subject)):
        return Part(f"{found[2]} v{found[3]}", "version", (found[2], found[3]))
    if noun in ("branch", "tag", "alias") and (found := REF.fullmatch(subject)):
        return Part(found[3], noun, (found[2], found[3]))
    if noun in ("model", "retention") and (found := MODEL.fullmatch(subject)):
        return Part(found[2], "model", (found[2],))
    if noun == "project":
        return Part(subject, "project")
    if noun == "member" and "@" not in subject:
        return Part(subject, "person", (subject,))
    if noun == "artifact":
        return Part(subject, "artifact", (subject,))
    return Part(subject)


def _version(told: Told, number: Any) -> Part:
    found = REF.fullmatch(told.subject)
    return Part(f"v{number}", "version", (found[2], str(number))) if found else Part(f"v{number}")


def _quoted(said: Any) -> str:
    text = str(said)
    return f"“{text[:LONGEST]}…”" if len(text) > LONGEST else f"“{text}”"


def _because(said: Any) -> str:
    return f": {_quoted(said)}" if said else ""


# --- Projects and models


def _project_made(told: Told) -> Pieces:
    seen = told.after.get("visibility")
    return ["made the project ", _subject(told), f", {seen}" if seen else ""]


def _changed(told: Told) -> Pieces:
    """A project or a model: each thing that was changed in words of its own."""
    noun, before, after = told.noun, told.before, told.after
    said = [_change(key, before.get(key), value) for key, value in after.items() if key != "name"]
    renamed = [f"renamed it from {before.get('name')} to {after['name']}"] if "name" in after else []
    return [f"changed the {noun} ", _subject(told), ": ", "; ".join(renamed + said)]


def _change(key: str, before: Any, after: Any) -> str:
    what = key.replace("_", " ")
    if key == "description":
        return f"its description is now {_quoted(after)}" if after else "it has no description any more"
    if key == "quota":
        return "it has no quota of its own any more" if after is None else f"its quota is now {after:,} bytes"
    return f"its {what} is now {after} (it was {before})"


def _model_made(told: Told) -> Pieces:
    return [f"made the {told.after.get('kind', 'model')} ", _subject(told)]


def _trashed(told: Told) -> Pieces:
    subject, rule = _subject(told), told.after.get("rule")
    where = {"version": "model-trash", "model": "project-trash"}.get(told.noun, "trash")
    names = _named(told).names[:1] if where == "model-trash" else ()
    until = str(told.after.get("until") or "")[:10]
    by = f", by the rule to keep {_rule(rule)}" if rule else ""
    return ["put ", subject, " into ", Part("the trash", where, names), f" until {until}" if until else "", by]


def _rule(rule: dict[str, Any]) -> str:
    last, days = rule.get("keep_last"), rule.get("keep_days")
    newest = "the newest version" if last == 1 else f"the newest {last} versions"
    younger = "those of the last day" if days == 1 else f"those of the last {days} days"
    return " and ".join(said for said, given in ((newest, last), (younger, days)) if given)


def _rule_set(told: Told) -> Pieces:
    was = f" (before: {_rule(told.before)})" if told.before else ""
    return ["set a retention rule for ", _subject(told), f": keep {_rule(told.after)}{was}"]


# --- Versions and their names


def _published(told: Told) -> Pieces:
    after, subject = told.after, _subject(told)
    model = subject.names[:1]
    said: list[str | Part] = ["published ", subject]
    if branch := after.get("branch"):
        said += [" on ", Part(str(branch), "branch", (*model, str(branch)))]
    for key, words in (("restored", ", restoring "), ("merged", ", merging ")):
        if key in after:
            said += [words, Part(f"v{after[key]}", "version", (*model, str(after[key])))]
    if count := after.get("sources"):
        said.append(f", derived from {count} other{'s' if count != 1 else ''}")
    return said


def _deprecated(told: Told) -> Pieces:
    return ["deprecated ", _subject(told), _because(told.after.get("deprecated"))]


def _logged(told: Told) -> Pieces:
    count, names = told.after.get("values", 0), told.after.get("names") or []
    shown = ", ".join(map(str, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"logged {count} value{'s' if count != 1 else ''} to ", _subject(told), f": {shown}" if shown else ""]


def _ref(told: Told) -> tuple[str, Part, str]:
    found = REF.fullmatch(told.subject)
    return f"the {told.noun} ", _subject(told), f" of {found[2]}" if found else ""


def _ref_set(told: Told) -> Pieces:
    what, name, of = _ref(told)
    comment = _because(told.after.get("comment"))
    return ["set ", what, name, of, " to ", _version(told, told.after.get("version")), comment, _flags(told)]


def _ref_moved(told: Told) -> Pieces:
    what, name, of = _ref(told)
    was, now = _version(told, told.before.get("version")), _version(told, told.after.get("version"))
    return ["moved ", what, name, of, " from ", was, " to ", now, _because(told.after.get("comment")), _flags(told)]


def _ref_rolled_back(told: Told) -> Pieces:
    what, name, of = _ref(told)
    was, now = told.before.get("version"), told.after.get("version")
    start: list[str | Part] = [" from ", _version(told, was)] if was is not None else []
    end: list[str | Part] = [" to ", _version(told, now), _because(told.after.get("comment")), _flags(told)]
    return ["rolled ", what, name, of, " back", *start, *end]


def _ref_changed(told: Told) -> Pieces:
    what, name, of = _ref(told)
    return ["changed ", what, name, of, _flags(told)]


def _ref_deleted(told: Told) -> Pieces:
    what, name, of = _ref(told)
    was = told.before.get("version")
    named: list[str | Part] = [", which named ", _version(told, was)] if was is not None else []
    return ["deleted ", what, name, of, *named, _because(told.after.get("comment"))]


def _flags(told: Told) -> str:
    """Say what of a name was switched: protected, active."""
    switched = [key if value else f"not {key}" for key, value in told.after.items() if isinstance(value, bool)]
    return f", now {' and '.join(switched)}" if switched else ""


# --- People


def _role_set(told: Told) -> Pieces:
    was, now = told.before.get("role"), told.after.get("role")
    if was:
        return ["changed the role of ", _subject(told), f" from {was} to {now}"]
    return ["added ", _subject(told), f" as {now}"]


def _removed(told: Told) -> Pieces:
    role = told.before.get("role", "member")
    if told.actor == told.subject:
        return [f"left the project, being {role}"]
    return ["removed ", _subject(told), f", who was {role}"]


def _joined(told: Told) -> Pieces:
    was, now = told.before.get("role"), told.after.get("role")
    return [f"accepted an invitation as {now}", f", being {was} before" if was else ""]


def _invited(told: Told) -> Pieces:
    again = f", as {told.before['role']} before" if told.before else ""
    return [f"invited {told.subject} as ", str(told.after.get("role", "member")), again]


def _withdrawn(told: Told) -> Pieces:
    return [f"withdrew the invitation of {told.subject}"]


# --- Lineage, bytes, accounts


def _artifact_changed(told: Told) -> Pieces:
    keys = ", ".join(key.replace("_", " ") for key in sorted(told.after))
    return ["changed the artifact ", _subject(told), f": {keys}" if keys else ""]


def _user_changed(told: Told) -> Pieces:
    said = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in told.after.items())
    return [f"changed the account {told.subject}", f": {said}" if said else ""]


def _bytes(state: str) -> Callable[[Told], Pieces]:
    def worded(told: Told) -> Pieces:
        places = told.after.get("places") or []
        return [f"found the bytes {told.subject[:10]} {state}", f", used by {places[0]}" if places else ""]

    return worded


def _signed_out(told: Told) -> Pieces:
    why = told.after.get("why")
    return ["ended a sign-in of ", told.subject, f" ({why})" if why else ""]


def _refs(done: str, worded: Callable[[Told], Pieces]) -> dict[str, Callable[[Told], Pieces]]:
    return {f"{kind}.{done}": worded for kind in ("branch", "tag", "alias")}


# Where the words are the same whatever was before and after; {} is what it was done to.
FEW = {
    "project.undeleted": "took the project {} back from the trash",
    "project.purged": "purged the project {}: only its name is left",
    "model.undeleted": "took {} back from the trash",
    "model.purged": "purged {}: only its name is left",
    "retention.deleted": "took the retention rule of {} away: all its versions are kept",
    "version.undeprecated": "took back that {} is deprecated",
    "version.undeleted": "took {} back from the trash",
    "version.purged": "purged {}: its files are gone for good",
    "version.downloaded": "downloaded {}",
    "artifact.recorded": "recorded the artifact {}",
    "artifact.deleted": "deleted the artifact {}",
    "artifact.downloaded": "downloaded the content of the artifact {}",
    "hierarchy.created": "made the hierarchy {}",
    "blob.healed": "healed the bytes {} with a new upload",
    "user.registered": "registered: {}",
    "user.verified": "verified the e-mail address of {}",
    "user.created": "made the account {}",
    "user.released": "released the name {}, whose address was never verified",
    "password.changed": "changed the password of {}",
    "password.reset": "set a new password for {} by mail",
    "password.reset_sent": "mailed {} a link for a new password",
    "token.created": "made the access token {}",
    "token.revoked": "revoked the access token {}",
    "sign_in.began": "signed in: {}",
    "group.changed": "changed the group {}",
    "group.deleted": "deleted the group {}",
}
MANY: dict[str, Callable[[Told], Pieces]] = {
    "project.created": _project_made,
    "project.changed": _changed,
    "project.trashed": _trashed,
    "model.created": _model_made,
    "model.changed": _changed,
    "model.trashed": _trashed,
    "retention.set": _rule_set,
    "version.published": _published,
    "version.trashed": _trashed,
    "version.deprecated": _deprecated,
    "metrics.logged": _logged,
    **_refs("set", _ref_set),
    **_refs("moved", _ref_moved),
    **_refs("changed", _ref_changed),
    **_refs("deleted", _ref_deleted),
    **_refs("rolled_back", _ref_rolled_back),
    "member.role_set": _role_set,
    "member.removed": _removed,
    "member.joined": _joined,
    "member.invited": _invited,
    "invitation.withdrawn": _withdrawn,
    "artifact.changed": _artifact_changed,
    "blob.damaged": _bytes("damaged"),
    "blob.missing": _bytes("missing"),
    "sign_in.ended": _signed_out,
    "user.changed": _user_changed,
}
