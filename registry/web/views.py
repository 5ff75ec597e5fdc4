"""The pages of the registry: words, layout, redirects. Rules are in the services."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.errors import Refusal
from registry import storage
from registry.models import Project, RegisteredModel
from registry.services import members, projects

NEWEST = 20


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first screen: where to sign in, where the API is, and the newest models that the visitor may see."""
    mine = []
    if request.user.is_authenticated:
        projects.ensure_personal_project(actor=request.user)
        mine = list(
            Project.objects.visible_to(request.user).filter(memberships__user=request.user).with_role_of(request.user)
        )
    newest = RegisteredModel.objects.visible_to(request.user).for_listing().order_by("-updated_at")[:NEWEST]
    return render(request, "registry/home.html", {"models": [_line(model) for model in newest], "projects": mine})


def _line(model: RegisteredModel) -> dict[str, object]:
    refs = list(model.refs.all())
    head = next((ref.version for ref in refs if ref.kind == "branch" and ref.name == model.default_branch), None)
    return {"model": model, "latest": head, "aliases": [ref for ref in refs if ref.kind == "alias"]}


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
    messages.success(request, f"Welcome to {membership.project}: you are {membership.get_role_display()} there.")
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
