"""Markdown of users on our pages: what is hostile does no harm, what is meant well is shown."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from registry.highlighting import LANGUAGES, highlighted
from registry.markdown import MOST_CHARACTERS, Base, render

BASE = Base("/v/m/versions/3/files/", "/v/m/versions/3/tree/", "/v1/bytes/", "docs")
ALLOWED = {
    *[
        "a",
        "blockquote",
        "br",
        "code",
        "div",
        "em",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "section",
        "span",
        "strong",
        "sup",
    ],
    *["table", "tbody", "td", "th", "thead", "tr", "ul"],
}
HOSTILE = [
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#x6A&#x61&#x76&#x61script:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](<&#32;javascript:alert(1)>)",
    "[x](\u00a0javascript:alert(1))",
    "[x](javascript%3Aalert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://a/b)",
    "[x](http:javascript:alert(1))",
    "[x](http://[)",
    "[x](https:///evil)",
    "[x](//evil.example/a)",
    "[x](/\\evil.example/a)",
    "[x](\\\\evil.example/a)",
    "[x](/%5cevil.example/a)",
    "[x](/%2f/evil.example)",
    "[x](.//evil.example)",
    "[x](../../../../account/)",
    "[x](%2e%2e/%2e%2e/%2e%2e/account/)",
    "[x](a%00b)",
    "[x](%ff)",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[r]\n\n[R]: <javascript:alert(1)> 'title'",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '[x](https://a.example "\\" onmouseover=alert(1) x=\\"")',
    "[x](https://a.example/\"onmouseover='alert(1)')",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](https://spy.example/pixel.png)",
    "![x](//spy.example/pixel.png)",
    "![\" onerror=alert(1)](a.png '\" onerror=alert(1)')",
    "![<script>](a.png)",
    "[![x](https://spy.example/p.png)](javascript:alert(1))",
    "![a ![b](https://spy.example/p.png)](https://spy.example/q.png)",
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><use href='data:x'/></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>body{display:none}</style>",
    "<base href=//evil>",
    "<meta http-equiv=refresh content=0;url=//evil>",
    "<form action=/account/><input name=csrfmiddlewaretoken></form>",
    "<a href=javascript:alert(1)>x</a>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "# <img src=x onerror=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```python onmouseover=alert(1)\nx\n```",
    "~~~<b>\n</code></pre><script>alert(1)</script>\n~~~",
    "    </code></pre><script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "|a|\n|-|\n|<script>alert(1)</script>|",
    '|a|\n|:-:|\n|<td style="x">|',
    "[^<script>]\n\n[^<script>]: <script>alert(1)</script>",
    '[^"onclick=x]\n\n[^"onclick=x]: a',
    "- [x] <script>alert(1)</script>",
    "\0<script\0>alert(1)</script\0>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u202e<script>alert(1)</script>",
    "{onclick=alert(1)}",
    "# x {#content onclick=alert(1)}",
]


class Shown(HTMLParser):
    """The elements of some HTML with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def shown(text: str, **options) -> Shown:
    return Shown(render(text, **{"base": BASE} | options))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("base", [BASE, None])
def test_hostile_text_does_no_harm(text: str, base: Base | None) -> None:
    for tag, attributes in shown(text, base=base).elements:
        assert tag in ALLOWED
        assert attributes.keys() <= {
            *("href", "src", "alt", "title", "id", "rel", "class", "loading", "start"),
            *("scope", "role", "tabindex", "aria-label"),
        }
        assert re.match(r"text-", attributes.get("id") or "text-")
        address = attributes.get("href") or ""
        assert re.match(r"(https?://[^/]|mailto:.|/v/m/versions/3/(files|tree)/|#text-|\Z)", address), address
        assert "/../" not in address
        assert "%2e" not in address.lower()
        if re.match(r"https?:|mailto:", address):
            assert attributes["rel"] == "nofollow noopener noreferrer"
        assert re.match(r"/v1/bytes/[^/]|\Z", attributes.get("src") or "")


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("a.md", "/v/m/versions/3/files/docs/a.md"),
        ("./a.md#Two", "/v/m/versions/3/files/docs/a.md#text-Two"),
        ("train.py#L3", "/v/m/versions/3/files/docs/train.py#L3"),
        ("../a.md", "/v/m/versions/3/files/a.md"),
        ("/a.md", "/v/m/versions/3/files/a.md"),
        ("a%20b.md", "/v/m/versions/3/files/docs/a%20b.md"),
        ("<a b&c.md>", "/v/m/versions/3/files/docs/a%20b%26c.md"),
        ("ä.md", "/v/m/versions/3/files/docs/%C3%A4.md"),
        ("a.md?raw=1", "/v/m/versions/3/files/docs/a.md"),
        ("a%3Fb.md", "/v/m/versions/3/files/docs/a%3Fb.md"),
        ("img/", "/v/m/versions/3/tree/docs/img"),
        ("..", "/v/m/versions/3/tree/"),
        ("#two", "#text-two"),
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("../../a.md", None),
        ("ftp://a.example/x", None),
        ("?x=1", None),
    ],
)
def test_where_links_lead(said: str, address: str | None) -> None:
    assert shown(f"[x]({said})").all("a")[0].get("href") == address


def test_without_a_base_relative_links_and_images_are_words() -> None:
    html = render("[a](b.md) ![c](d.png)")
    assert "<img" not in html
    assert "href" not in html
    assert Shown(html).text.strip() == "a c"


def test_images_come_from_the_version_or_are_links() -> None:
    page = shown("![one](../p.png) ![two](https://spy.example/p.png) [![three](https://x.example/b.svg)](a.md)")
    assert page.all("img") == [{"src": "/v1/bytes/p.png", "alt": "one", "loading": "lazy"}]
    assert [link["href"] for link in page.all("a")] == ["https://spy.example/p.png", "/v/m/versions/3/files/docs/a.md"]
    assert page.text.split() == ["two", "three"]


def test_headings_go_down_and_have_ids_of_their_own() -> None:
    html = render("# A *b*!\n# A b\n# A b-1\n###### A\n# <script>\n# !\n# content")
    assert re.findall(r'<(h\d) id="([^"]*)"', html) == [
        ("h2", "text-a-b"),
        ("h2", "text-a-b-1"),
        ("h2", "text-a-b-1-1"),
        ("h6", "text-a"),
        ("h2", "text-script"),
        ("h2", "text-section"),
        ("h2", "text-content"),
    ]


def test_html_is_shown_as_text() -> None:
    assert shown("<b>bold</b> <!-- hidden -->").text.strip() == "<b>bold</b> <!-- hidden -->"


def test_tables_lists_of_tasks_strikes_and_footnotes() -> None:
    page = shown("|a|b|\n|-|-:|\n|1|2|\n\n- [ ] open\n- [x] *done*\n\n~~no~~ see[^1]\n\n[^1]: there")
    assert page.all("th") == [{"scope": "col"}, {"scope": "col", "class": "right"}]
    assert page.all("div")[0] == {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": "Table"}
    assert "☐ open" in page.text
    assert "☑ done" in page.text
    assert page.all("s")
    assert {"href": "#text-fn1", "id": "text-fnref1"} in page.all("a")
    assert {"id": "text-fn1", "class": "footnote-item"} in page.all("li")
    assert not page.all("input")


def test_code_has_classes_and_no_styles() -> None:
    html = render("```python\ndef f(): return 'x'\n```\n```nonsense\na<b\n```")
    assert '<span class="k">def</span>' in html
    assert "a&lt;b" in html
    assert "style" not in html


def test_a_long_text_is_cut_and_says_so() -> None:
    html = render("word " * 10 + "\n\n" + "more words\n\n" * (MOST_CHARACTERS // 5))
    assert html.endswith("Open the file to read all of it.</p>")
    assert len(html) < 2 * MOST_CHARACTERS
    assert "notice" not in render("word")


def filled(piece: str, length: int = 512 * 1024) -> str:
    return (piece * (length // len(piece) + 1))[:length]


SLOW = {
    "brackets": filled("["),
    "images": filled("!["),
    "links": filled("[a]("),
    "stars": filled("**a*"),
    "ticks": "".join("`" * n + "a" for n in range(1, 1000)),
    "quotes": filled(">"),
    "lazy quotes": ">" * 50 + filled("a\n"),
    "deep lists": "\n".join("  " * n + "- a" for n in range(700)),
    "lists": filled("- a\n"),
    "headings": filled("# a\n"),
    "many headings": "".join(f"# a-{n}\n# a\n" for n in range(40_000)),
    "references": "".join(f"[r{n}]: x\n" for n in range(50_000)),
    "footnotes": "".join(f"[^{n}]: x\n\n[^{n}]\n\n" for n in range(40_000)),
    "wide table": "|" + "a|" * 100_000 + "\n|" + "-|" * 100_000 + "\n|x|",
    "ragged table": "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n" + "x\n" * 200_000,
    "long table": "|a|b|\n|-|-|\n" + filled("|x|y|\n"),
    "entities": filled("&a;"),
    "tags": filled("<a"),
    "fences": filled("```python\ndef\n```\n"),
    "code": "```python\n" + filled("'\\"),
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_hostile_text_takes_bounded_time_and_space(text: str) -> None:
    begun = time.thread_time()
    html = render(text, base=BASE)
    assert time.thread_time() - begun < 8  # 2 at most on an idle machine
    assert len(html) < 2 * 2**20


@pytest.mark.parametrize("language", ["console", "cpp", "java", "make", "typescript", "yaml"])
@pytest.mark.parametrize("piece", ["a ", "x:", "1.", "/*"])
def test_highlighting_takes_bounded_time_and_loses_nothing(language: str, piece: str) -> None:
    for code in (filled(piece, 60_000), filled(filled(piece, 900) + "\n", 60_000), filled(piece + "\n", 60_000)):
        begun = time.thread_time()
        html = highlighted(code, language)
        assert time.thread_time() - begun < 3  # 0.26 at most on an idle machine
        assert Shown(html).text == code


def test_every_language_is_known_to_pygments() -> None:
    for language in LANGUAGES:
        assert Shown(highlighted("x = 1\r\n", language)).text == "x = 1\n"


STYLES = Path(__file__).parent.parent / "registry/static/registry/code.css"


@pytest.mark.parametrize("paper", ["#f2f4f9", "#ffffff", "#1a202c", "#151a24"])
def test_the_colours_of_code_have_contrast_enough(paper: str) -> None:
    light, dark = STYLES.read_text().split("@media")
    inks = re.findall(r"--code-\w+: (#\w{6})", light if paper > "#8" else dark)
    assert len(inks) == 7
    assert min(contrast(ink, paper) for ink in inks) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, 1.4.3: (L1 + 0.05) / (L2 + 0.05)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
