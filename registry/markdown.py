"""Markdown that users wrote, as HTML that does no harm: CommonMark with tables, strikethrough, task lists, footnotes. Pure.

Two walls. HTML in the text is text, and addresses are looked at one by one; then whatever came out passes an allow-list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from registry.highlighting import CLASSES, highlighted

MOST_CHARACTERS = 64 * 1024  # of a text: what is behind them is not shown
MOST_NESTING = 20
PREFIX = "text-"  # before every id, so that no text names a part of the page around it
FOREIGN = "nofollow noopener noreferrer"
SCHEMES = {"http", "https", "mailto"}
CUT = '<p class="notice">Only the beginning is shown here: the text is long. Open the file to read all of it.</p>'

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
UNPATHLY = re.compile(r"[\x00-\x1f\x7f\\]")
TASK = re.compile(r"\[([ xX])\][ \t]")
NO_SLUG = re.compile(r"[^\w\- ]")
MARKDOWN_FILE = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Base:
    """Where a text stands among the files of a version: addresses, each ending in /, to which a path is added.

    `files` shows a file on a page, `trees` a directory, `bytes` is what images are loaded from. `directory` is that of
    the text itself ("" for the root).
    """

    files: str
    trees: str
    bytes: str
    directory: str = ""


def render(text: str, *, base: Base | None = None, shift: int = 1) -> SafeString:
    """Return Markdown as HTML that may stand on a page, in an element of class `markdown`.

    Relative links lead to the pages of `base`, relative images to its bytes; without it they are text. Images of other
    sites become links to them. Headings are moved down by `shift` levels: the page has its own h1. Ids, and the links
    within the text to them, begin with `text-`. Only the first 64 KiB of a text are rendered.
    """
    shown = text if len(text) <= MOST_CHARACTERS else _beginning(text)
    html = _cleaner.clean(_parser.render(shown, {"base": base, "shift": shift}))
    return mark_safe(html if shown is text else html + CUT)


def _beginning(text: str) -> str:
    """Return what fits of a long text, up to the end of a paragraph where there is one."""
    shown = text[:MOST_CHARACTERS]
    end = shown.rfind("\n\n")
    return shown[:end] if end > MOST_CHARACTERS // 2 else shown


# --- The first wall: what the parser is told, and what becomes of its tokens


def _headings(state: StateCore) -> None:
    """Move headings down, and give each an id by its words."""
    names = _Names()
    for place, token in enumerate(state.tokens):
        if token.type == "heading_open":
            token.attrSet("id", names.one_for(_words(state.tokens[place + 1].children or [])))
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + state.env['shift'], 6)}"


class _Names:
    """Ids, each given out once."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def one_for(self, words: str) -> str:
        slug = NO_SLUG.sub("", words.strip().lower()).replace(" ", "-")[:100] or "section"
        name = slug
        while name in self._given:
            self._given[slug] += 1
            name = f"{slug}-{self._given[slug]}"
        self._given[name] = 0
        return name


def _words(tokens: Sequence[Token]) -> str:
    return "".join(_words(token.children) if token.children else token.content for token in tokens)


def _tables(state: StateCore) -> None:
    """Say with classes how columns are aligned, as styles are refused by the page's policy, and what heads them."""
    for token in state.tokens:
        if token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", "")):
            token.attrSet("class", str(style).partition(":")[2])
        if token.type == "th_open":
            token.attrSet("scope", "col")


def _tasks(state: StateCore) -> None:
    """Write the boxes of task lists as signs: nobody can tick them here."""
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (item.type, paragraph.type, inline.type) != ("list_item_open", "paragraph_open", "inline"):
            continue
        first = inline.children[0] if inline.children else None
        if first and first.type == "text" and (task := TASK.match(first.content)):
            first.content = ("☐ " if task[1] == " " else "☑ ") + first.content[task.end() :]
            item.attrSet("class", "task")


def _addresses(state: StateCore) -> None:
    """Lead every link and image somewhere, or nowhere."""
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_led(token.children, state.env["base"]))


def _led(tokens: Sequence[Token], base: Base | None) -> Iterator[Token]:
    inside = False  # a link: there is no other in it
    for token in tokens:
        if token.type == "link_open":
            inside = True
            _lead(token, base)
        elif token.type == "link_close":
            inside = False
        if token.type == "image":
            yield from _image(token, base, inside)
        else:
            yield token


def _lead(token: Token, base: Base | None) -> None:
    """Point a link to its place; what leads nowhere loses its address."""
    said = str(token.attrs.pop("href", ""))
    if SCHEME.match(said):
        if _goes_abroad(said):
            token.attrSet("href", said)
            token.attrSet("rel", FOREIGN)
    elif found := said if said.startswith("#") else _page(said, base):
        token.attrSet("href", found)


def _image(token: Token, base: Base | None, inside: bool) -> Iterator[Token]:
    """Yield an image of the same version; of another site a link to it, and of what is no image its words."""
    said = str(token.attrs.get("src", ""))
    place = None if SCHEME.match(said) else _place(said, base)
    if place and base:
        token.attrSet("src", base.bytes + quote(place[0]))
        token.attrSet("loading", "lazy")
        yield token
        return
    text = Token("text", "", 0, content=_words(token.children or []) or "image")
    if inside or not SCHEME.match(said) or not _goes_abroad(said):
        yield text
        return
    yield Token("link_open", "a", 1, attrs={"href": said, "rel": FOREIGN})
    yield text
    yield Token("link_close", "a", -1)


def _goes_abroad(said: str) -> bool:
    """Whether an address with a scheme is one that may be followed."""
    try:
        parts = urlsplit(said)
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.path if parts.scheme == "mailto" else parts.netloc)


def _page(said: str, base: Base | None) -> str:
    """Return the page of a relative address: with / at its end a directory's, else a file's."""
    place = _place(said, base)
    if place is None or base is None:
        return ""
    path, fragment = place
    directory = not path or urlsplit(said).path.endswith(("/", "/.", "/.."))
    anchor = PREFIX + fragment if MARKDOWN_FILE.search(path) or directory else fragment
    return (base.trees if directory else base.files) + quote(path) + (f"#{anchor}" if fragment else "")


def _place(said: str, base: Base | None) -> tuple[str, str] | None:
    """Return the path in the version, and the fragment, of a relative address; None where it leads out of the version."""
    try:
        parts = urlsplit(said)
        path = unquote(parts.path, errors="strict")
    except ValueError:
        return None
    if base is None or parts.scheme or parts.netloc or said.startswith("//") or UNPATHLY.search(path) or not path:
        return None
    found: list[str] = []
    for part in (path if path.startswith("/") else f"{base.directory}/{path}").split("/"):
        if part == ".." and not found:
            return None
        if part == "..":
            found.pop()
        elif part not in ("", "."):
            found.append(part)
    return "/".join(found), parts.fragment


class _Renderer(RendererHTML):
    """Code with colours, and what may be wider than the page in a region of its own that can be scrolled."""

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        language = tokens[index].info.strip().partition(" ")[0]
        return _code(tokens[index].content, language.strip("{}.").partition(":")[0])

    def code_block(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return _code(tokens[index].content, "")

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table class="table">'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return "</table></div>"


def _code(code: str, language: str) -> str:
    return format_html(
        '<div class="snippet"><pre class="code" tabindex="0"><code>{}</code></pre></div>', highlighted(code, language)
    )


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTING}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"]).use(footnote_plugin, inline=False)
    for rule in (_headings, _tables, _tasks, _addresses):
        parser.core.ruler.push(rule.__name__, rule)
    parser.validateLink = lambda url: True  # type: ignore[method-assign] # _addresses judges, and leaves the words
    return parser


# --- The second wall


def _local(url: str) -> str | None:
    """Return an address without a scheme: a part of the same text, or a page of this site."""
    if url.startswith("#"):
        return f"#{PREFIX}{url[1:]}"
    return url if url.startswith("/") and not url.startswith(("//", "/\\")) else None


HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TEXT = {"p", "br", "hr", "em", "strong", "s", "sup", "a", "img", "span", "code", "pre", "blockquote", "ul", "ol", "li"}
TABLES = {"div", "table", "thead", "tbody", "tr", "th", "td", "section"}
_cleaner = nh3.Cleaner(
    tags={*TEXT, *TABLES, *HEADINGS},
    attributes={
        "a": {"href", "title", "id", "rel"},
        "img": {"src", "alt", "title", "loading"},
        "li": {"id"},
        "ol": {"start"},
        **{heading: {"id"} for heading in HEADINGS},
    },
    tag_attribute_values={
        "div": {"role": {"region"}, "tabindex": {"0"}, "aria-label": {"Table"}},
        "pre": {"tabindex": {"0"}},
        "th": {"scope": {"col"}},
    },
    allowed_classes={
        "a": {"footnote-backref"},
        "div": {"scroll", "snippet"},
        "li": {"task", "footnote-item"},
        "ol": {"footnotes-list"},
        "pre": {"code"},
        "section": {"footnotes"},
        "span": set(CLASSES),
        "sup": {"footnote-ref"},
        "table": {"table"},
        "td": {"left", "center", "right"},
        "th": {"left", "center", "right"},
    },
    url_schemes=SCHEMES,
    url_relative=_local,
    id_prefix=PREFIX,
    link_rel=None,
)
_parser = _make_parser()
