"""The envelope around every answer of the API, and how each failure gets into it (api.md 1 and 4)."""

import logging
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from config.request_id import current_request_id
from targets.answers import Answer, Failure, message_json
from targets.errors import DomainError, ErrorCode, InvalidInput

logger = logging.getLogger(__name__)

RETRY_AFTER = "2"  # seconds; longer than most locks are held
MAX_ERRORS = 100  # a bulk body can be wrong ten thousand times

ERROR_OF_STATUS = {
    401: ErrorCode.NOT_AUTHENTICATED,
    403: ErrorCode.NOT_PERMITTED,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    429: ErrorCode.TOO_MANY_REQUESTS,
    503: ErrorCode.UNAVAILABLE,
}


class BodyTooLarge(DomainError):
    error = ErrorCode.BODY_TOO_LARGE


class EnvelopeRenderer(BaseRenderer):
    """For what Django REST framework answers by itself (OPTIONS), and to name the one media type."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return Answer(data).content


class AlwaysJSON(DefaultContentNegotiation):
    """Answers with the view's first renderer whatever `Accept` asks for: there is only one form.

    Looks closer at the type of a body only where it is not just that of the view's first parser.
    """

    def select_parser(self, request: Request, parsers: Any) -> Any:
        if parsers and request.content_type == parsers[0].media_type:
            return parsers[0]
        return super().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def error_json(error: ErrorCode, message: str = "", field: str | None = None) -> dict[str, Any]:
    message = message or error.value.meaning
    if error is ErrorCode.INTERNAL_ERROR:
        message = f"{message} Request id: {current_request_id.get()}"
    return message_json(error.value.code, message, field)


def error_of_status(status: int) -> ErrorCode:
    """The code for an answer that was made without one."""
    if status in ERROR_OF_STATUS:
        return ERROR_OF_STATUS[status]
    return ErrorCode.INTERNAL_ERROR if status >= 500 else ErrorCode.INVALID_INPUT


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Failure:
    """The failure as an answer; what is not foreseen is logged and answered as our fault. Never raises.

    A view with `published_shape = True` names the field at fault in the message, not beside it: the published
    errors have a code and a message only.
    """
    if isinstance(exc, IntegrityError) and is_caller_gone(exc):
        challenge = context["view"].get_authenticate_header(context["request"])
        return refusal(ErrorCode.NOT_AUTHENTICATED, headers={"WWW-Authenticate": challenge})
    failure = failure_of(exc)
    if getattr(context.get("view"), "published_shape", False):
        return Failure(failure.status_code, [without_field(each) for each in failure.errors], failure.extra)
    return failure


def failure_of(exc: Exception) -> Failure:
    match exc:
        case DomainError():
            return refusal(exc.error, exc.message, exc.field)
        case exceptions.ValidationError():
            return Failure(400, validation_errors(exc.detail))
        case exceptions.ParseError():
            return refusal(ErrorCode.INVALID_INPUT, str(exc.detail))
        case exceptions.UnsupportedMediaType():
            return refusal(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
        case exceptions.APIException():
            return failure_of_framework(exc)
        case Http404():
            return refusal(ErrorCode.NOT_FOUND)
        case PermissionDenied():
            return refusal(ErrorCode.NOT_PERMITTED)
        case RequestDataTooBig():
            return refusal(ErrorCode.BODY_TOO_LARGE)
        case UnreadablePostError():  # the caller hung up
            return refusal(ErrorCode.INVALID_INPUT, "The body ended early.")
        case SuspiciousOperation():
            return refusal(ErrorCode.INVALID_INPUT)
        case OperationalError() | InterfaceError():
            # Lock and statement time-outs, deadlocks, a server that is away: all of them pass.
            logger.warning("The database could not serve: %s", exc)
            return refusal(ErrorCode.UNAVAILABLE)
    logger.error("Not foreseen: %r", exc, exc_info=exc)
    return refusal(ErrorCode.INTERNAL_ERROR)


def is_caller_gone(error: IntegrityError) -> bool:
    """Whether the API user was deleted since he was found: then nothing can be noted for him."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is not None and (diagnosis.constraint_name or "").endswith("_fk_targets_apiuser_id")


def refusal(
    error: ErrorCode, message: str = "", field: str | None = None, headers: Mapping[str, str] | None = None
) -> Failure:
    if error.value.status == 503 or error is ErrorCode.STILL_RUNNING:  # both pass
        headers = {"Retry-After": RETRY_AFTER}
    return Failure(error.value.status, [error_json(error, message, field)], headers)


def failure_of_framework(exc: exceptions.APIException) -> Failure:
    """Django REST framework's own refusals; some carry a header."""
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(ceil(wait))
    return Failure(exc.status_code, [error_json(error_of_status(exc.status_code))], headers)


def without_field(error: Mapping[str, Any]) -> dict[str, Any]:
    message = error["message"]
    field = error.get("field")
    if field and not message.startswith(field):
        message = f"{field}: {message}"
    return {"code": error["code"], "message": message}


def validation_errors(detail: Any) -> list[dict[str, Any]]:
    """Errors of serializers, nested as they are, as a flat list with paths such as `[0].customerId`."""
    found = list(messages_in(detail, ""))
    errors = [error_json(InvalidInput.error, message, path or None) for path, message in found[:MAX_ERRORS]]
    if len(found) > MAX_ERRORS:
        errors.append(error_json(InvalidInput.error, f"There are {len(found) - MAX_ERRORS} more errors."))
    return errors


def messages_in(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from messages_in(inner, path_below(path, key))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_message = isinstance(inner, str)
            yield from messages_in(inner, path if is_message else path_below(path, index))
    else:
        yield path, str(detail)


def path_below(path: str, key: Any) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    if key == "non_field_errors":
        return path
    return f"{path}.{key}" if path else str(key)
