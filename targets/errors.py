"""Every refusal of Milestreak: its code, its HTTP status, its sentence.

This table is the only place where codes are written; the API, the commands and the docs read it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True)
class Refusal:
    """What a code means: `status` is the HTTP status, `meaning` what docs and default messages say."""

    code: int
    status: int
    meaning: str


class ErrorCode(Enum):
    ALREADY_ENROLLED = Refusal(310119, 409, "The customer is already enrolled in the target.")
    NOT_ENROLLED = Refusal(310126, 409, "The customer is not enrolled in the target.")
    CUSTOMER_NOT_FOUND = Refusal(310011, 404, "Invalid user id: this brand has no such customer.")
    TARGET_GROUP_NOT_FOUND = Refusal(310017, 404, "Target group not found or inactive.")
    TARGET_NOT_FOUND = Refusal(310018, 404, "Target not found, inactive, or not in this target group.")
    CYCLE_NOT_FOUND = Refusal(310019, 404, "Target period not found: unknown, over, or none left.")
    NO_RECORD = Refusal(310149, 404, "No record is found for this customer and target.")
    NAME_TAKEN = Refusal(
        310069,
        409,
        "A name is already used: of a group, target or level in the brand, or of a period in the group.",
    )
    IMPOSSIBLE_COMBINATION = Refusal(310033, 400, "Impossible combination of entity, type, kind, window or allocation.")
    INVALID_INPUT = Refusal(300004, 400, "Invalid input.")
    KEY_REUSED = Refusal(300009, 422, "The Idempotency-Key was used for another request: send a new one.")
    STILL_RUNNING = Refusal(300010, 409, "The first call with this Idempotency-Key is still running: try again.")
    NOT_A_SANDBOX = Refusal(300011, 409, "The brand is not a sandbox: its clock cannot be set.")
    CUSTOMER_ERASED = Refusal(300012, 410, "The customer was erased: his id cannot be registered again.")
    NOT_AUTHENTICATED = Refusal(4010, 401, "Credentials are missing or wrong.")
    NOT_PERMITTED = Refusal(4000, 403, "The API user lacks the permission for this call.")
    NOT_FOUND = Refusal(4040, 404, "No such resource.")
    METHOD_NOT_ALLOWED = Refusal(4050, 405, "The resource does not answer to this method.")
    BODY_TOO_LARGE = Refusal(4130, 413, "The body is too large.")
    UNSUPPORTED_MEDIA_TYPE = Refusal(4150, 415, "The body must be application/json.")
    TOO_MANY_REQUESTS = Refusal(4290, 429, "Too many requests. Try again after the time in Retry-After.")
    INTERNAL_ERROR = Refusal(5000, 500, "An error of ours. Quote the request id when you report it.")
    UNAVAILABLE = Refusal(5030, 503, "Cannot serve now. Try again after the time in Retry-After.")


class WarningCode(Enum):
    REWARD_FORFEITED = (310201, "A period-end reward is forfeited by this unenrolment.")
    FIELD_IGNORED = (310202, "A field was ignored that would have mattered.")


class DomainError(Exception):
    """A refusal of an operation: nothing was changed. `field` is the path of the input field at fault."""

    error: ErrorCode = ErrorCode.INVALID_INPUT

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        self.message = message or self.error.value.meaning
        self.field = field
        super().__init__(self.message)


class InvalidInput(DomainError):
    error = ErrorCode.INVALID_INPUT


class ChangedMeanwhile(InvalidInput):
    """What was to be changed is not what the caller has seen: somebody else has changed it since."""

    def __init__(self) -> None:
        super().__init__("Somebody else has changed this programme meanwhile: look at it again.", field="version")


class KeyReused(DomainError):
    error = ErrorCode.KEY_REUSED


class StillRunning(DomainError):
    error = ErrorCode.STILL_RUNNING


class AnswerErased(DomainError):
    """The first call with the key was carried out, but its answer spoke of a customer who was erased since."""

    error = ErrorCode.CUSTOMER_ERASED

    def __init__(self) -> None:
        super().__init__(
            "The first call with this Idempotency-Key was answered, and nothing was done again. Its answer is kept no "
            "longer: it spoke of a customer who was erased since."
        )


class CustomerNotFound(DomainError):
    error = ErrorCode.CUSTOMER_NOT_FOUND


class CustomerErased(DomainError):
    error = ErrorCode.CUSTOMER_ERASED


class TargetGroupNotFound(DomainError):
    error = ErrorCode.TARGET_GROUP_NOT_FOUND


class TargetNotFound(DomainError):
    error = ErrorCode.TARGET_NOT_FOUND


class ReceiptNotFound(DomainError):
    error = ErrorCode.NOT_FOUND


class CycleNotFound(DomainError):
    error = ErrorCode.CYCLE_NOT_FOUND


class NoRecord(DomainError):
    error = ErrorCode.NO_RECORD


class NameTaken(DomainError):
    error = ErrorCode.NAME_TAKEN


class ImpossibleCombination(DomainError):
    error = ErrorCode.IMPOSSIBLE_COMBINATION


class NotASandbox(DomainError):
    error = ErrorCode.NOT_A_SANDBOX


class AlreadyEnrolled(DomainError):
    error = ErrorCode.ALREADY_ENROLLED


class NotEnrolled(DomainError):
    """`left_at` tells the two cases apart: when he left, or None if he was never enrolled."""

    error = ErrorCode.NOT_ENROLLED

    def __init__(self, message: str = "", *, left_at: datetime | None = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.left_at = left_at


class StaleInstant(DomainError):
    """The participation changed after `at`, or the cycle has closed meanwhile (domain.md 3).

    The door takes a fresh now and runs the operation once more; a second time means "try again later".
    """

    error = ErrorCode.UNAVAILABLE

    def __init__(self, at: datetime) -> None:
        super().__init__(f"Something newer than {at.isoformat()} was recorded meanwhile. Try again.")
