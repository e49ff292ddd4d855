"""How the OpenAPI document says what each operation can refuse: with which status, code and sentence."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from targets.answers import LONGEST_FIELD
from targets.errors import ErrorCode, WarningCode

# What any operation can answer, whatever it does.
GENERAL = (
    ErrorCode.INVALID_INPUT,
    ErrorCode.NOT_AUTHENTICATED,
    ErrorCode.NOT_PERMITTED,
    ErrorCode.METHOD_NOT_ALLOWED,
    ErrorCode.TOO_MANY_REQUESTS,
    ErrorCode.INTERNAL_ERROR,
    ErrorCode.UNAVAILABLE,
)
SHARED = (*GENERAL[1:], ErrorCode.BODY_TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE)
OF_BODIES = (ErrorCode.BODY_TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE)

# By the name of the component, the header as it is answered.
HEADERS_BY_NAME: dict[str, Any] = {
    "X-Cap-Requestid": {
        "description": "The id of the request: yours of X-Request-ID, or a new one. It stands on receipts.",
        "required": True,
        "schema": {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9._:-]+$", "examples": ["till-7-4711"]},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "examples": [2]},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "maxLength": 200, "examples": ['Basic realm="Milestreak", charset="UTF-8"']},
    },
    "Allow": {
        "description": "The methods of the resource.",
        "required": True,
        "schema": {"type": "string", "maxLength": 100, "examples": ["GET, HEAD"]},
    },
}


def headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Cap-Requestid", *names)}


HEADERS_OF_STATUS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


def messages(codes: Iterable[int], example: int) -> dict[str, Any]:
    """The JSON schema of a list of errors or warnings with one of `codes`."""
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": 101,
        "items": {
            "type": "object",
            "properties": {
                "code": {
                    "type": "integer",
                    "enum": sorted(codes),
                    "description": "What it is: docs/errors.md has cause and remedy.",
                    "examples": [example],
                },
                "message": {
                    "type": "string",
                    "maxLength": 2000,
                    "description": "The sentence for people; it may change.",
                    "examples": ["This field is required."],
                },
                "field": {
                    "type": "string",
                    "maxLength": LONGEST_FIELD,
                    "description": "Path of the input field it is about; published calls name it in the message.",
                    "examples": ["records[0].customerId"],
                },
            },
            "required": ["code", "message"],
            "additionalProperties": False,
        },
    }


WARNINGS = messages((each.value.code for each in WarningCode), WarningCode.REWARD_FORFEITED.value.code)


def responses(errors: Iterable[ErrorCode]) -> dict[str, Any]:
    """The response objects of all `errors`, by status."""
    by_status: dict[int, list[ErrorCode]] = defaultdict(list)
    for error in errors:
        by_status[error.value.status].append(error)
    return {str(status): reference(errors) or response(status, errors) for status, errors in sorted(by_status.items())}


def reference(errors: list[ErrorCode]) -> dict[str, str] | None:
    """To the one description of what many operations refuse alike."""
    [error, *others] = errors
    if others or error not in SHARED:
        return None
    return {"$ref": f"#/components/responses/{component_name(error)}"}


def component_name(error: ErrorCode) -> str:
    return error.name.title().replace("_", "")


def add_shared(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """A hook of drf-spectacular: the responses and headers to which operations refer."""
    components = result["components"]
    components["responses"] = {component_name(each): response(each.value.status, [each]) for each in SHARED}
    components["headers"] = HEADERS_BY_NAME
    components["schemas"]["Warnings"] = WARNINGS
    return result


def response(status: int, errors: list[ErrorCode]) -> dict[str, Any]:
    codes = [error.value.code for error in errors]
    return {
        "description": "\n".join(f"{error.value.code}: {error.value.meaning}" for error in errors),
        "headers": headers(*[HEADERS_OF_STATUS[status]] if status in HEADERS_OF_STATUS else []),
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "data": {"type": "null", "description": "Null: nothing was done.", "examples": [None]},
                        "errors": messages(codes, codes[0])
                        | {"description": "Why not.", "examples": [[said(errors[0])]]},
                        "warnings": {"type": "null", "description": "Null.", "examples": [None]},
                    },
                    "required": ["data", "errors", "warnings"],
                },
                "examples": {
                    str(error.value.code): {
                        "summary": error.value.meaning,
                        "description": error.value.remedy,
                        "value": {"data": None, "errors": [said(error)], "warnings": None},
                    }
                    for error in errors
                },
            }
        },
    }


def said(error: ErrorCode) -> dict[str, Any]:
    return {"code": error.value.code, "message": error.value.meaning}
