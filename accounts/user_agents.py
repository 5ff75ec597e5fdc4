"""What browsers and programs call themselves, in words for people. Pure."""

from __future__ import annotations

# Most browsers name others too, for old servers' sake: the first mark that is found is theirs.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
PROGRAMS = (("lmvp", "LMVP's client"), ("curl/", "curl"), ("python-requests/", "Python"), ("Wget/", "wget"))


def friendly_name(user_agent: str) -> str:
    """Name what a User-Agent header comes from: “Firefox on Linux”, “curl”; its first word where nobody knows it."""
    program = next((name for mark, name in PROGRAMS if user_agent.startswith(mark)), "")
    if program:
        return program
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    words = user_agent.split()
    return browser or (words[0].partition("/")[0][:40] if words else "") or "An unnamed program"


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")
