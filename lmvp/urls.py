"""The whole site map. Every /auth/ and /v1/ address also answers without its last slash, and /v1/ as /api/v1/."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, include, path
from django.views.generic import RedirectView

from accounts.api.routes import auth_routes, v1_routes
from accounts.web.routes import page_routes
from lmvp.watching.page import figures
from registry.api import (
    artifact_content,
    artifacts,
    comparison,
    content,
    differences,
    events,
    hierarchies,
    inspecting,
    lineage,
    listing,
    merging,
    metrics,
    naming,
    packs,
    restoring,
    retention,
    search,
    tables,
    trash,
    uploading,
    views,
)
from registry.api.rooms import Room
from registry.api.schema import redoc_page, schema_view, swagger_page
from registry.web import home
from registry.web import routes as registry_pages
from registry.web import views as pages

handler400 = "lmvp.failures.bad_request"
handler404 = "lmvp.failures.not_found"
handler500 = "lmvp.failures.server_error"


def at(address: str, viewset: type[Room], name: str | None = None, **actions: str) -> URLPattern:
    return path(address, viewset.as_view(actions), name=name)


PROJECT = "projects/<slug:project>/"
MODEL = PROJECT + "models/<str:model>/"
VERSION = MODEL + "versions/<str:revision>/"
COMPARED = MODEL + "compare/<str:base>...<str:head>/"
ARTIFACT = "artifacts/<str:artifact>/"

registry_routes = [
    at("projects/", views.ProjectViewSet, get="list", post="create"),
    at(PROJECT, views.ProjectViewSet, name="project", get="retrieve", patch="partial_update", delete="destroy"),
    at(PROJECT + "members/", views.MemberViewSet, get="list", post="create"),
    at(PROJECT + "members/<slug:username>/", views.MemberViewSet, patch="partial_update", delete="destroy"),
    at(PROJECT + "invitations/", views.InvitationViewSet, get="list", post="create"),
    at(PROJECT + "invitations/<int:pk>/", views.InvitationViewSet, delete="destroy"),
    at("invitations/accept/", views.AcceptanceViewSet, post="create"),
    at(PROJECT + "events/", events.EventViewSet, get="list"),
    at(PROJECT + "models/", views.ModelViewSet, get="list", post="create"),
    at(MODEL, views.ModelViewSet, name="model", get="retrieve", patch="partial_update", delete="destroy"),
    at(MODEL + "uploads/", uploading.UploadOfferViewSet, post="create"),
    at(MODEL + "uploads/pack/", packs.UploadPackViewSet, post="create"),
    at(
        "uploads/<uuid:pk>/",
        uploading.UploadViewSet,
        name="upload",
        get="retrieve",
        head="offset",
        put="update",
        patch="partial_update",
        delete="destroy",
    ),
    at("uploads/<uuid:pk>/complete/", uploading.CompletionViewSet, name="upload-complete", post="create"),
    at(MODEL + "versions/", content.VersionViewSet, get="list", post="create"),
    at(VERSION + "lineage/", lineage.LineageViewSet, get="retrieve"),
    at(VERSION + "tree/", listing.TreeViewSet, get="list"),
    at(VERSION + "tree/<path:path>", listing.TreeViewSet, get="below"),
    at(VERSION, content.VersionViewSet, name="version", get="retrieve", patch="partial_update", delete="destroy"),
    at(VERSION + "files/<path:path>", content.FileViewSet, get="retrieve"),
    at(VERSION + "pack/", packs.PackViewSet, post="create"),
    at(VERSION + "archive/", content.FileViewSet, get="archive"),
    at(VERSION + "metrics/", metrics.MetricViewSet, get="list", post="create"),
    at(MODEL + "metrics/", metrics.ModelMetricViewSet, get="list"),
    at(MODEL + "best/", metrics.BestViewSet, get="retrieve"),
    at(COMPARED, comparison.ComparisonViewSet, name="comparison", get="retrieve"),
    at(MODEL + "merge/", merging.MergeViewSet, post="create"),
    at(COMPARED + "files/<path:path>", differences.DifferenceViewSet, name="difference", get="retrieve"),
    at(MODEL + "compare/", tables.TableViewSet, name="comparison-table", get="list"),
    at(VERSION + "inspect/<path:path>", inspecting.HeaderViewSet, get="retrieve"),
    at(VERSION + "card/", inspecting.CardViewSet, get="retrieve"),
    at(PROJECT + "uploads/", uploading.ProjectUploadOfferViewSet, post="create"),
    at(PROJECT + "hierarchies/", hierarchies.HierarchyViewSet, get="list", post="create"),
    at("artifacts/", artifacts.ArtifactViewSet, get="list", post="create"),
    at("artifacts/$tree/", artifacts.ArtifactTreeViewSet, post="create"),
    at(ARTIFACT, artifacts.ArtifactViewSet, name="artifact", get="retrieve", put="update", delete="destroy"),
    at(ARTIFACT + "$tree/", artifacts.ArtifactViewSet, get="tree"),
    at(ARTIFACT + "$expand/", artifacts.ArtifactViewSet, get="expand"),
    at(ARTIFACT + "$metadata/", artifacts.ArtifactViewSet, get="metadata"),
    at(ARTIFACT + "$download/", artifact_content.ArtifactContentViewSet, get="download"),
    *(
        at(MODEL + address, viewset, **actions)
        for plural, viewset in naming.VIEWSETS.items()
        for address, actions in (
            (f"{plural}/", {"get": "list", "post": "create"}),
            (f"{plural}/<str:name>/", {"get": "retrieve", "put": "update", "delete": "destroy"}),
            (f"{plural}/<str:name>/moves/", {"get": "moves"}),
            (f"{plural}/<str:name>/at/", {"get": "moment"}),
        )
    ),
    at(MODEL + "aliases/<str:name>/rollback/", naming.RollbackViewSet, post="create"),
    at(VERSION + "restore/", restoring.RestorationViewSet, post="create"),
    at("search/", search.SearchViewSet, get="list"),
    at("trash/", trash.TrashViewSet, get="projects"),
    at(PROJECT + "trash/", trash.TrashViewSet, get="models"),
    at(MODEL + "trash/", trash.TrashViewSet, get="versions"),
    at(PROJECT + "undelete/", trash.UndeleteViewSet, post="project_back"),
    at(MODEL + "undelete/", trash.UndeleteViewSet, post="model_back"),
    at(VERSION + "undelete/", trash.UndeleteViewSet, post="version_back"),
    at(MODEL + "retention/", retention.RetentionViewSet, get="retrieve", put="update", delete="destroy"),
]

urlpatterns = [
    registry_pages.at("", home.home, "home"),
    path("invitations/accept/", pages.accept_invitation, name="invitation"),
    *page_routes,
    path("auth/", include(auth_routes)),
    path("v1/", include(v1_routes + registry_routes)),
    path("docs/", swagger_page, name="docs"),
    path("redoc/", redoc_page, name="redoc"),
    path("swagger.json", schema_view.without_ui(cache_timeout=0), {"format": "json"}, name="schema"),
    path("admin/password_change/", RedirectView.as_view(pattern_name="change-password")),  # not round the services
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/registry/icon.svg", permanent=True)),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("metrics", figures, name="figures"),
    path("", include((registry_pages.routes, "web"))),
]
