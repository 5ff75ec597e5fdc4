"""Reading pages without a browser: somebody's client, and what a person reads of an answer."""

from __future__ import annotations

import html
import re

from django.http import HttpResponse
from django.test import Client

from accounts.models import User

AVATAR = re.compile(r'<span class="avatar[^>]*>.</span>')
IN_A_LINE = re.compile(r"</?(?:a|b|code|em|strong|time|span)\b[^>]*>")


def browser_of(user: User | None) -> Client:
    """Return a client with a session of this user; of nobody where there is none."""
    client = Client()
    if user:
        client.force_login(user)
    return client


def text_of(page: HttpResponse | str) -> str:
    """Return what a person reads: without the initials before names, and with what is in a line in one line."""
    written = page if isinstance(page, str) else page.content.decode()
    written = IN_A_LINE.sub("", AVATAR.sub("", written))
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", written)).split())
