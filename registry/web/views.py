"""The pages behind mailed links and refused forms, and what tells an operator that the server is well."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from registry import storage
from registry.services import members


@login_required
@require_http_methods(["GET", "POST"])
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Behind the mailed link, after signing in: what it is for, and one button."""
    token = request.POST.get("token") or request.GET.get("token", "")
    try:
        if request.method == "GET":
            facts = {"token": token, "invitation": members.find_invitation(token=token)}
            return render(request, "registry/invitation.html", facts)
        membership = members.accept_invitation(actor=request.user, token=token)
    except Refusal as refusal:
        page = {"heading": "This invitation cannot be accepted", "message": refusal.message}
        return render(request, "registry/error.html", page, status=refusal.status)
    messages.success(request, f"Welcome to {membership.project}: you are {membership.get_role_display()} there.")
    return redirect("home")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that came without its token: an old tab, or cookies switched off."""
    message = (
        "This form is too old, or your browser keeps no cookies here. Go back, load the page again, and send it anew."
    )
    return render(request, "registry/error.html", {"heading": "Please try again", "message": message}, status=403)


def healthz(request: HttpRequest) -> JsonResponse:
    """Whether the process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Whether it can work: the database answers, has every migration, and bytes can be kept."""
    checks = {"database": _said(_database), "migrations": _said(_migrations), "storage": _said(storage.check)}
    ready = all(said == "ok" for said in checks.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", "checks": checks}, status=200 if ready else 503)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing: run manage.py migrate")


def _said(check: object) -> str:
    try:
        check()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"failed: {type(error).__name__}" if not isinstance(error, RuntimeError) else str(error)
    return "ok"
