"""The OpenAPI document is complete: nothing in it is without type, meaning, limits and example."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import simplejson

from config.schema import schema_bytes
from targets.errors import ErrorCode

DOCUMENT = simplejson.loads(schema_bytes())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation | {"path": path, "method": method}
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SHAPES = ("$ref", "allOf", "anyOf", "oneOf")


def response_of(described: dict[str, Any]) -> dict[str, Any]:
    """The response itself where an operation only refers to it."""
    return (
        DOCUMENT["components"]["responses"][described["$ref"].rsplit("/", 1)[-1]] if "$ref" in described else described
    )


for _operation in OPERATIONS.values():
    _operation["responses"] = {status: response_of(each) for status, each in _operation["responses"].items()}


def bodies() -> Iterator[tuple[str, Any, bool]]:
    """Every schema of the document, with where it is and whether it describes a request."""
    for name, schema in SCHEMAS.items():
        yield name, schema, name.endswith("Request")
    for name, header in DOCUMENT["components"]["headers"].items():
        yield "header", {"properties": {name: header["schema"] | {"description": header["description"]}}}, False
    for name, operation in OPERATIONS.items():
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"] | {"description": parameter.get("description", "")}
            yield f"{name} {parameter['name']}", {"properties": {parameter["name"]: schema}}, True
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{name} request", content["schema"], True
        for status, response in operation["responses"].items():
            yield f"{name} {status}", response["content"]["application/json"]["schema"], False


def parts(where: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """All schemas inside, with where they are and whether each is a property."""
    for name, each in schema.get("properties", {}).items():
        yield f"{where}.{name}", each, True
        yield from parts(f"{where}.{name}", each)
    inner = [each for shape in SHAPES[1:] for each in schema.get(shape, [])]
    inner += [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    for each in inner:
        yield f"{where}[]", each, False
        yield from parts(f"{where}[]", each)


def types(schema: dict[str, Any]) -> list[str]:
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else named


def shortcomings() -> Iterator[str]:
    for place, whole, is_request in bodies():
        for where, schema, is_property in [(place, whole, False), *parts(place, whole)]:
            if is_property:
                if not schema.get("description") and "$ref" not in schema:
                    yield f"{where}: no description"
                if not types(schema) and not any(shape in schema for shape in (*SHAPES, "enum")):
                    yield f"{where}: no type"
                if not shows_an_example(schema):
                    yield f"{where}: no example"
            if "string" in types(schema) and not {"maxLength", "enum", "format", "const"} & set(schema):
                yield f"{where}: a string without a limit"
            if is_request and "array" in types(schema) and "maxItems" not in schema:
                yield f"{where}: an array without a limit"
            limits = {"minimum", "maximum"} if is_request else set()
            if "integer" in types(schema) and not limits <= set(schema):
                yield f"{where}: an integer without limits"


def shows_an_example(schema: dict[str, Any]) -> bool:
    """A composed value shows those of its parts."""
    if "examples" in schema or "enum" in schema or any(shape in schema for shape in SHAPES):
        return True
    return bool({"properties", "items", "additionalProperties"} & set(schema))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"components": DOCUMENT["components"]}


def test_every_field_has_type_meaning_limits_and_example():
    found = sorted(set(shortcomings()))

    assert found == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operation_says_what_it_does_and_what_it_refuses(operation):
    codes = {
        int(code)
        for each in operation["responses"].values()
        for code in each["content"]["application/json"]["examples"]
        if code.isdigit()
    }
    general = {300004, 4010, 4000, 4050, 4290, 5000, 5030}
    of_body = {4130, 4150} if "requestBody" in operation else set()

    assert operation["summary"]
    assert operation["description"].startswith(operation["summary"])
    assert general | of_body <= codes
    assert bool(operation.get("security")) is (operation["operationId"] != "generateToken")  # it shows its own
    if "requestBody" in operation:
        assert operation["requestBody"]["required"] is True
        assert operation["requestBody"]["content"]["application/json"]["examples"]


def test_every_code_is_an_answer_of_some_operation():
    documented = {
        code
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for code in response["content"]["application/json"]["examples"]
    }

    assert {str(each.value.code) for each in ErrorCode} - documented == set()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_examples_are_what_their_schema_says(operation):
    contents = [(status, each["content"]["application/json"]) for status, each in operation["responses"].items()]
    if "requestBody" in operation:
        contents.append(("request", operation["requestBody"]["content"]["application/json"]))

    faults = [
        f"{where}, example {name}: {error.message}"
        for where, content in contents
        for name, example in content["examples"].items()
        for error in jsonschema.Draft202012Validator(resolved(content["schema"])).iter_errors(example["value"])
    ]

    assert faults == []
