"""Mails leave after the commit, from a thread: an answer waits for no mail server and tells nothing by its time."""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)


def send(*, template: str, to: str | None, **facts: Any) -> None:
    """Mail the text of `template` (its first line is the subject). With no `to` the same work is done for nothing."""
    text = render_to_string(template, {"site": settings.LMVP_URL, "site_name": settings.SITE_NAME, **facts})
    subject, _, body = text.strip().partition("\n")
    message = EmailMessage(subject.strip(), body.strip() + "\n", to=[to] if to else [])
    transaction.on_commit(lambda: _hand_over(message))


def _hand_over(message: EmailMessage) -> None:
    if settings.MAIL_IN_BACKGROUND:
        threading.Thread(target=contextvars.copy_context().run, args=(_deliver, message)).start()
    else:
        _deliver(message)


def _deliver(message: EmailMessage) -> None:
    try:
        message.send()  # without a recipient Django sends nothing
    except OSError:  # smtplib's errors are OSErrors too
        logger.exception("A mail could not be sent: %s", message.subject)
