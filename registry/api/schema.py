"""How Swagger describes the API: registering and signing in first, and what the generator cannot know by itself."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from drf_yasg import openapi
from drf_yasg.generators import EndpointEnumerator, OpenAPISchemaGenerator
from drf_yasg.inspectors import SwaggerAutoSchema
from drf_yasg.views import get_schema_view
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BrowsableAPIRenderer

FIRST = ["/auth/register/", "/auth/login/"]
INTRODUCTION = """Keep the models that your team trains: publish versions, compare, promote, get back the same bytes.

**Sign in and authorize**

1. `POST /auth/register/`, and follow the link that is mailed (without a mail server it is in the server's console).
2. `POST /auth/login/` answers `tokens.access`. Press **Authorize** and enter `Bearer <access>`.
3. `POST /v1/projects/`, `POST …/models/`, then `POST …/versions/` with **Try it out** and a file.

Machines use access tokens: `POST /auth/tokens/`. Errors are always `{"error": {"code", "message", "fields"}}`.
"""


class Addresses(EndpointEnumerator):
    """Keeps the $ of …/$tree/, which would be taken for the end of a pattern."""

    def get_path_from_regex(self, path_regex: str) -> str:
        address: str = super().get_path_from_regex(path_regex.replace("/$", "/-dollar-"))
        return address.replace("/-dollar-", "/$")


class Generator(OpenAPISchemaGenerator):
    """Lists /auth/register/ and /auth/login/ first, then by address."""

    endpoint_enumerator_class = Addresses

    def get_paths_object(self, paths: dict[str, Any]) -> openapi.Paths:
        known = {path: paths[path] for path in FIRST if path in paths}
        return super().get_paths_object(known | paths)

    def get_path_item(self, path: str, view_cls: type, operations: dict[str, Any]) -> openapi.PathItem:
        """Put what stands in the address before what goes with it: that is the order in which people fill a form."""
        item = super().get_path_item(path, view_cls, operations)
        for operation in operations.values():
            operation.parameters = [*item.parameters, *operation.parameters]
        item.parameters = []
        return item


class Operation(SwaggerAutoSchema):
    """JSON in and out, unless an operation says `consumes` or `produces`."""

    def get_consumes(self) -> list[str]:
        return list(self.overrides.get("consumes", ["application/json"]))

    def get_produces(self) -> list[str]:
        return list(self.overrides.get("produces", ["application/json"]))

    def get_renderer_classes(self) -> list[Any]:
        return [one for one in super().get_renderer_classes() if one is not BrowsableAPIRenderer]


schema_view = get_schema_view(
    openapi.Info(title="LMVP", default_version="v1", description=INTRODUCTION, license=openapi.License("MIT")),
    public=True,
    permission_classes=[AllowAny],
    authentication_classes=[],
)

# What the two vendored pages write into the document as a style, each allowed by its digest and nothing else: Swagger UI's
# logo; ReDoc's scroll bars, and the empty sheet that it fills by script. ReDoc searches in a worker made of its own script.
LOGO = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"
SCROLL_BARS = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
EMPTY_SHEET = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

swagger_page = csp_update({"style-src": [LOGO]})(schema_view.with_ui("swagger", cache_timeout=0))
redoc_page = csp_update({"style-src": [SCROLL_BARS, EMPTY_SHEET], "worker-src": ["blob:"]})(
    schema_view.with_ui("redoc", cache_timeout=0)
)
