"""Source code as HTML with a class for each kind of word, by Pygments; registry/static/registry/code.css has the colours. Pure.

Only the languages of the field are known. A lexer is a pile of regular expressions, many of which take the square of the
length of what was made to be slow: long lines are left alone, and when time is up the rest stays without colours.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Text

MOST_CHARACTERS = 64 * 1024
LONGEST_LINE = 1000
MOST_SECONDS = 0.25
CLASSES = frozenset(STANDARD_TYPES.values()) - {""}

# What people write behind ``` → what Pygments calls it.
LANGUAGES = {
    name: language
    for language, names in {
        "bash": "bash sh shell zsh",
        "bibtex": "bibtex bib",
        "c": "c h",
        "console": "console shell-session",
        "cpp": "cpp c++ cc hpp cuda cu",
        "css": "css",
        "diff": "diff patch",
        "docker": "docker dockerfile",
        "go": "go golang",
        "html": "html",
        "ini": "ini cfg conf",
        "java": "java",
        "javascript": "javascript js",
        "json": "json jsonl",
        "julia": "julia jl",
        "lua": "lua",
        "make": "make makefile",
        "pycon": "pycon",
        "python": "python py python3 ipython",
        "r": "r",
        "rust": "rust rs",
        "sql": "sql",
        "toml": "toml",
        "typescript": "typescript ts",
        "xml": "xml svg",
        "yaml": "yaml yml",
    }.items()
    for name in names.split()
}
_formatter = HtmlFormatter(nowrap=True)


def highlighted(code: str, language: str = "") -> SafeString:
    """Return code as HTML: spans with Pygments' short classes; only escaped for an unknown language, or when it is long."""
    known = LANGUAGES.get(language.lower())
    if known is None or len(code) > MOST_CHARACTERS or any(len(line) > LONGEST_LINE for line in code.split("\n")):
        return escape(code)
    whole = code.replace("\r\n", "\n").replace("\r", "\n")
    ended = whole.endswith("\n")  # lexers and formatter want whole lines; some drop a part of one
    coloured = io.StringIO()
    _formatter.format(_words(whole if ended else f"{whole}\n", known), coloured)
    html = coloured.getvalue() if ended else coloured.getvalue().removesuffix("\n")
    return mark_safe(html)


def _words(code: str, language: str) -> Iterator[tuple[object, str]]:
    """Yield the words of code, each with its kind; when time is up, the rest of it as one."""
    deadline, at = time.monotonic() + MOST_SECONDS, 0
    for kind, word in get_lexer_by_name(language, stripnl=False, ensurenl=False).get_tokens(code):
        yield kind, word
        at += len(word)
        if time.monotonic() > deadline:
            yield Text, code[at:]
            return
