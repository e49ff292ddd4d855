"""What both peers say on the wire: the body, who calls, the envelope and its refusals."""

import hashlib
import hmac
import os
import re
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, Field, StrictInt

from enrollments.enums import Effective
from targets.errors import DomainError, ErrorCode, InvalidInput, TargetGroupNotFound, TargetNotFound, WarningCode

PATH = "/v3/targetGroups/{group_id}/targets/{target_id}/unEnroll"
DATABASE = os.environ["PEER_DATABASE"]  # postgresql://user:password@/name?host=...
CONNECTIONS = int(os.environ.get("PEER_CONNECTIONS", "4"))  # of one process; Milestreak's has as many threads
KEY = os.environ["CREDENTIALS_KEY"].encode()
CALENDAR = 0x4D53  # first key of the advisory locks, as in enrollments/locks.py
LARGEST_ID = 2**63 - 1
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
NOBODYS_DIGEST = "0" * 64


class Record(BaseModel):
    customer_id: StrictInt | Annotated[str, Field(pattern="^[0-9]{1,18}$")] = Field(alias="customerId")
    reason: Annotated[str, Field(max_length=500)] | None = None
    effective: Effective | None = None


Body = Annotated[list[Record], Field(min_length=1, max_length=1)] | Record
Credentials = Annotated[HTTPBasicCredentials | None, Depends(HTTPBasic(auto_error=False))]


class NotAuthenticated(DomainError):
    error = ErrorCode.NOT_AUTHENTICATED


class NotPermitted(DomainError):
    error = ErrorCode.NOT_PERMITTED


class RecentCallers:
    """Who called within the last seconds is not looked up again, as in Milestreak: config/recent_callers.py."""

    SECONDS = 5

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], tuple[float, Any]] = {}

    def find(self, credentials: HTTPBasicCredentials) -> Any:
        fresh_until, caller = self.found.get((credentials.username, credentials.password), (0.0, None))
        return caller if monotonic() < fresh_until else None

    def keep(self, credentials: HTTPBasicCredentials, caller: Any) -> None:
        self.found[credentials.username, credentials.password] = monotonic() + self.SECONDS, caller


def record_of(body: Any) -> Record:
    record: Record = body[0] if isinstance(body, list) else body
    return record


def now_of(clock_at: datetime | None) -> datetime:
    return clock_at or datetime.now(UTC)


def is_right(password: str, digest: str, former_digest: str, former_until: datetime | None) -> bool:
    """Whether it is the generated secret, or the former one before its end."""
    given = hmac.new(KEY, password.encode(), hashlib.sha256).hexdigest()
    if hmac.compare_digest(given, digest or NOBODYS_DIGEST):
        return True
    return former_until is not None and former_until > datetime.now(UTC) and hmac.compare_digest(given, former_digest)


def request_id_of(request: Request) -> str:
    if not hasattr(request.state, "request_id"):
        asked = request.headers.get("x-request-id", "")
        request.state.request_id = asked if SANE_ID.fullmatch(asked) else uuid4().hex
    known: str = request.state.request_id
    return known


def answer(request: Request, customer_id: int, forfeited: str | None = None) -> JSONResponse:
    """`forfeited`: the name of the period whose reward is."""
    warnings = None
    if forfeited is not None:
        message = (
            f"The reward of period {forfeited!r} is forfeited: the target was reached, "
            "but the reward is given when the period ends, and the customer leaves before."
        )
        warnings = [{"code": WarningCode.REWARD_FORFEITED.value.code, "message": message}]
    return JSONResponse(
        {"data": customer_id, "errors": None, "warnings": warnings},
        headers={"X-Cap-Requestid": request_id_of(request)},
    )


def refuse_missing(group_id: int, target_id: int, *, has_group: bool, has_target: bool) -> None:
    if not has_group:
        raise TargetGroupNotFound(f"Target group {group_id} is not found or inactive.")
    if not has_target:
        raise TargetNotFound(f"Target {target_id} is not found, inactive, or not in target group {group_id}.")


def refused(request: Request, error: DomainError) -> JSONResponse:
    code = error.error.value
    headers = {"X-Cap-Requestid": request_id_of(request)}
    if code.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Milestreak", charset="UTF-8"'
    body = {"data": None, "errors": [{"code": code.code, "message": error.message}], "warnings": None}
    return JSONResponse(body, status_code=code.status, headers=headers)


def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return refused(request, InvalidInput("; ".join(each["msg"] for each in error.errors())))


def new_service(lifespan: Any) -> FastAPI:
    service = FastAPI(lifespan=lifespan, openapi_url=None)
    service.add_exception_handler(DomainError, refused)
    service.add_exception_handler(RequestValidationError, invalid)
    return service
