import json
import re
from pathlib import Path

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from openapi_spec_validator import validate
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from targets.answers import Answer
from targets.errors import ErrorCode
from targets.fields import TextField

ELSEWHERE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


class Thing(serializers.Serializer):
    name = TextField(max_length=10, help_text="Its name.", example="A")


class ThingsView(APIView):
    """Things."""

    required_permissions = {"get": "targets.view_targetgroup"}
    refusals = {"get": (ErrorCode.NAME_TAKEN,)}

    @extend_schema(responses=Thing(many=True))
    def get(self, request: Request) -> Response:
        return Answer([])


PATTERNS = [path("v3/things", ThingsView.as_view()), path("things", ThingsView.as_view())]


def test_landing_page_leads_to_docs_console_and_schema(client):
    response = client.get("/")

    links = re.findall(r'<a href="([^"]+)">', response.content.decode())
    assert links == ["/docs", "/admin/", "/v3/schema"]


@pytest.mark.parametrize("address", ["/", "/docs"])
def test_page_fetches_nothing_from_elsewhere(client, address):
    response = client.get(address)

    assert response.status_code == 200
    assert ELSEWHERE.findall(response.content.decode()) == []


def test_schema_is_public_and_valid(client):
    response = client.get("/v3/schema")

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    document = json.loads(response.content)
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_schema_by_another_method_is_refused_in_the_envelope(client):
    response = client.post("/v3/schema")

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
    assert [error["code"] for error in response.json()["errors"]] == [4050]


def test_schema_wraps_answers_and_documents_refusals_of_canonical_paths():
    document = SchemaGenerator(patterns=PATTERNS).get_schema(request=None, public=True)

    validate(document)
    assert list(document["paths"]) == ["/v3/things"]
    operation = document["paths"]["/v3/things"]["get"]
    assert operation["tags"] == ["things"]
    assert operation["security"] == [{"oauth2": []}, {"publishedToken": []}, {"basic": []}]
    assert sorted(operation["responses"]) == ["200", "400", "401", "403", "405", "409", "429", "500", "503"]
    envelope = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert envelope["properties"]["data"] == {
        "description": "What was asked for.",
        "type": "array",
        "items": {"$ref": "#/components/schemas/Thing"},
    }
    assert operation["responses"]["403"] == {"$ref": "#/components/responses/NotPermitted"}
    refusal = operation["responses"]["409"]["content"]["application/json"]
    assert list(refusal["examples"]) == ["310069"]


def test_error_pages_are_simple():
    pages = [(Path("templates") / name).read_text() for name in ("404.html", "500.html")]

    assert [re.findall("{[{%]", page) for page in pages] == [[], []]
