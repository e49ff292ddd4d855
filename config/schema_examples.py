"""Examples of whole answers, put together from the examples of their fields."""

from collections.abc import Mapping
from typing import Any


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """A value that `schema` describes. Raises `LookupError` where nothing says how one looks."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rsplit("/", 1)[-1]], components)
    for combined in ("allOf", "oneOf", "anyOf"):
        if combined in schema:
            return example_of(schema[combined][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: example_of(each, components) for name, each in schema["properties"].items()}
    if "items" in schema:
        return [example_of(schema["items"], components)]
    if isinstance(schema.get("additionalProperties"), Mapping):
        return {"56": example_of(schema["additionalProperties"], components)}
    raise LookupError(f"No example of {schema}.")


def add_examples(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """A hook of drf-spectacular: every answer without an example gets one."""
    components = result["components"]["schemas"]
    for path in result["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    if "examples" not in content:
                        content["examples"] = {"answer": {"value": example_of(content["schema"], components)}}
    return result
