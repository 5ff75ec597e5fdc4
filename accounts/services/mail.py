"""Mails leave after the commit and aside: an answer waits for no mail server and tells nothing by its time."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django_tasks import task

logger = logging.getLogger(__name__)


def send(*, template: str, to: str | None, **facts: Any) -> None:
    """Mail the text of `template` (its first line is the subject). With no `to` the same work is done for nothing."""
    text = render_to_string(template, {"site": settings.LMVP_URL, "site_name": settings.SITE_NAME, **facts})
    subject, _, body = text.strip().partition("\n")
    aside = deliver.using(backend=settings.TASKS_ASIDE)
    receivers = [to] if to else []
    transaction.on_commit(lambda: aside.enqueue(subject=subject.strip(), body=body.strip() + "\n", to=receivers))


def where_mails_go() -> str:
    """Return a sentence for whoever had one sent, where nobody will find it in a mailbox; else nothing."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.console.EmailBackend":
        return ""
    return " No mail server is set up yet: it is printed in the server's console, with its link."


@task()
def deliver(*, subject: str, body: str, to: list[str]) -> None:
    """Hand a mail to the mail server; one without a recipient is dropped."""
    try:
        EmailMessage(subject, body, to=to).send()  # without a recipient Django sends nothing
    except OSError:  # smtplib's errors are OSErrors too
        logger.exception("A mail could not be sent: %s", subject)
        raise
