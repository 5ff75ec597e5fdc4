"""The description of the API: valid, complete, quiet, and shown by pages that work."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest
from django.test import Client
from swagger_spec_validator.validator20 import validate_spec

from tests.test_doors import operations as routed

pytestmark = pytest.mark.django_db
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


@pytest.fixture
def schema(client: Client) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response = client.get("/swagger.json")
    assert response.status_code == 200
    loaded: dict[str, Any] = json.loads(response.content)
    return loaded


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_schema_is_valid(schema: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver is deprecated", DeprecationWarning)
        validate_spec(schema)


def test_registering_and_signing_in_come_first(schema: dict[str, Any]) -> None:
    assert list(schema["paths"])[:2] == ["/auth/register/", "/auth/login/"]
    assert schema["basePath"] == "/"


def test_every_route_is_described(schema: dict[str, Any]) -> None:
    described = {f"{method.upper()} {re.sub('{.*?}', '{}', path)}" for path, method, _ in operations(schema)}
    assert described == {re.sub("<.*?>", "{}", operation) for operation in routed("/")}


def test_every_operation_says_what_it_does(schema: dict[str, Any]) -> None:
    summaries = [operation.get("summary", "") for _, _, operation in operations(schema)]
    assert all(len(summary) > 5 for summary in summaries)
    assert len(set(summaries)) == len(summaries)


def test_every_operation_has_a_name_of_its_own(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(set(names)) == len(names)


def test_every_operation_shows_an_answer(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        good = {status: said for status, said in operation["responses"].items() if status.startswith("2")}
        assert good, (path, method)
        for status, said in good.items():
            assert said["description"], (path, method)
            assert status == "204" or said.get("examples") or said.get("schema"), (path, method)


def test_every_refusal_shows_our_error(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        for status, said in operation["responses"].items():
            if status.startswith(("4", "5")):
                error = said["examples"]["application/json"]["error"]
                assert set(error) >= {"code", "message"}, (path, method, status)


def test_every_body_is_described(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        sent = [parameter for parameter in operation.get("parameters", []) if parameter["in"] in ("body", "formData")]
        says_it_all = path.endswith("/undelete/")  # the address says what is taken back
        assert bool(sent) == (method in ("post", "put", "patch") and not says_it_all), (path, method)


def test_every_registry_body_is_filled_with_an_example(schema: dict[str, Any]) -> None:
    for path, _, operation in operations(schema):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "body" and path.startswith("/v1/") and "$ref" in parameter["schema"]:
                found = schema["definitions"][parameter["schema"]["$ref"].rpartition("/")[2]]
                assert found.get("example") or found["properties"], path


def test_publishing_takes_files(schema: dict[str, Any]) -> None:
    (publish,) = [one for _, _, one in operations(schema) if one["operationId"] == "versions_create"]
    kinds = {parameter["name"]: parameter["type"] for parameter in publish["parameters"]}
    assert "multipart/form-data" in publish["consumes"]
    assert kinds["files"] == "file"
    assert kinds.keys() >= {"paths", "message", "metadata", "metrics", "parent", "tag", "alias", "Idempotency-Key"}


def test_examples_hold_for_the_descriptions_of_lists(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        names = [parameter["name"] for parameter in operation.get("parameters", [])]
        assert len(set(names)) == len(names), (path, method)


def test_authorize_takes_a_bearer_token(schema: dict[str, Any]) -> None:
    bearer = schema["securityDefinitions"]["Bearer"]
    assert (bearer["type"], bearer["in"], bearer["name"]) == ("apiKey", "header", "Authorization")
    assert schema["security"] == [{"Bearer": []}]


@pytest.mark.parametrize("path", ["/auth/register/", "/auth/login/", "/v1/token/"])
def test_signing_in_needs_no_authorization(schema: dict[str, Any], path: str) -> None:
    assert schema["paths"][path]["post"]["security"] == []


@pytest.mark.parametrize("page", ["/docs/", "/redoc/"])
def test_page_and_its_files_are_served(client: Client, page: str) -> None:
    response = client.get(page)
    assert response.status_code == 200
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', response.content.decode())
    assert files
    for file in files:
        answer = client.get(file)
        assert answer.status_code == 200, file
        assert b"".join(answer.streaming_content if answer.streaming else [answer.content]), file


@pytest.mark.parametrize("page", ["/docs/", "/redoc/"])
def test_page_needs_nothing_from_elsewhere(client: Client, page: str) -> None:
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="(https?:)?//', client.get(page).content.decode())
    assert not loaded
