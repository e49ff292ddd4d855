"""What the caller may do: one Django permission per operation."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from targets.api.requests import authorization_of
from targets.errors import DomainError, ErrorCode


class OutsideScope(DomainError):
    error = ErrorCode.NOT_PERMITTED


HANDLED_BY_GET = {"head": "get"}


class OperationPermission(BasePermission):
    """Asks for the permission that the view names for its action or method in `required_permissions`.

    Raises `ImproperlyConfigured` where the view names none, so that none is forgotten. Needs no query after
    `BrandBasicAuthentication` or `BearerAuthentication`.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or request.auth is None:
            return False
        operation = operation_of(request, view)
        if operation is None:
            return True  # no such method: the view answers 405
        permission = required_of(view, operation)
        if not permission:
            raise ImproperlyConfigured(
                f"{type(view).__name__}.required_permissions names no permission for {operation!r}."
            )
        refuse_outside_scope(request, permission)
        return authorization_of(request).may(permission)


def permission_asked_for(request: Request) -> str:
    """What the view requires for the operation; empty where it names none, or is not there."""
    view = request.parser_context.get("view")
    return required_of(view, operation_of(request, view))


def required_of(view: Any, operation: str | None) -> str:
    permission: str = getattr(view, "required_permissions", {}).get(operation, "")
    return permission


def refuse_outside_scope(request: Request, permission: str) -> None:
    """Raises `OutsideScope` where the token does not cover the call: `read` covers what changes nothing, such as a
    preview, `write` everything else.

    Basic authentication has no scope and is not limited by one.
    """
    scope = authorization_of(request).scope
    changes_nothing = request.method in SAFE_METHODS or ".view_" in permission
    needed = "read" if changes_nothing else "write"
    if scope is not None and needed not in scope.split():
        raise OutsideScope(f"The token lacks the scope {needed}: ask for one with it.")


def operation_of(request: Request, view: Any) -> str | None:
    method = (request.method or "").lower()
    method = HANDLED_BY_GET.get(method, method)
    if method == "options" or not hasattr(view, method):
        return None
    return getattr(view, "action", None) or method
