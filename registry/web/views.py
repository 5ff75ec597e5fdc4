"""The pages behind mailed links and refused forms, and what tells an operator that the server is well."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from registry import storage
from registry.services import members


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Behind the mailed link: what it is for, and one button; for whoever is not signed in, the ways in and back here."""
    token = request.POST.get("token") or request.GET.get("token", "")
    try:
        if request.method != "POST":
            facts = {"token": token, "invitation": members.find_invitation(token=token)}
            facts["next"] = request.get_full_path()
            return render(request, "registry/invitation.html", facts)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        membership = members.accept_invitation(actor=request.user, token=token)
    except Refusal as refusal:
        page = {"heading": "This invitation cannot be accepted", "message": refusal.message}
        return render(request, "registry/error.html", page, status=refusal.status)
    messages.success(request, f"Welcome to {membership.project}. Your role here is {membership.get_role_display()}.")
    return redirect(membership.project)


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
