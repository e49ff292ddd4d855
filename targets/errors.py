"""Every refusal of Milestreak: its code, its HTTP status, its sentence.

This table is the only place where codes are written; the API, the commands and the docs read it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True)
class Refusal:
    """What a code means: `status` is the HTTP status, `meaning` what default messages say, the rest is for the docs."""

    code: int
    status: int
    meaning: str
    cause: str
    remedy: str


class ErrorCode(Enum):
    ALREADY_ENROLLED = Refusal(
        310119,
        409,
        "The customer is already enrolled in the target.",
        "He is a member of the period that he was to join, or of a later one.",
        "Nothing is left to do. To put him into another period, unenrol him first.",
    )
    NOT_ENROLLED = Refusal(
        310126,
        409,
        "The customer is not enrolled in the target.",
        "He was never enrolled, or he has left already; the message says which, and when he left. When a leave is to "
        "be cancelled: there is none to come.",
        "Take it as done if he was to be unenrolled. Otherwise look at `GET .../enrollments/{customerId}`.",
    )
    CUSTOMER_NOT_FOUND = Refusal(
        310011,
        404,
        "Invalid user id: this brand has no such customer.",
        "The customer was never registered in the brand of the API user, was erased, or the number is out of range.",
        "Register him with `PUT /v3/customers/{customerId}`, and send the call again. Who was erased cannot come back.",
    )
    TARGET_GROUP_NOT_FOUND = Refusal(
        310017,
        404,
        "Target group not found or inactive.",
        "No group of the brand has this id, or the group was made inactive.",
        "Take the id from `GET /v3/targetGroups`; there `active` says whether the group can be used.",
    )
    TARGET_NOT_FOUND = Refusal(
        310018,
        404,
        "Target not found, inactive, or not in this target group.",
        "No target of the group in the path has this id, or the target was made inactive.",
        "Take the id from `GET /v3/targetGroups/{targetGroupId}/targets`.",
    )
    CYCLE_NOT_FOUND = Refusal(
        310019,
        404,
        "Target period not found: unknown, over, or none left.",
        "The period that was named is not one of the group's or is over, or the programme has no period left.",
        "Name a period from `GET /v3/targetGroups/{targetGroupId}/targetPeriods` that is not over, or none to take the "
        "running one. When all are over, nothing can be changed any more.",
    )
    NO_RECORD = Refusal(
        310149,
        404,
        "No record is found for this customer and target.",
        "The customer was never enrolled in the target, so nothing was tracked.",
        "Enrol him first, or take it for an empty log.",
    )
    NAME_TAKEN = Refusal(
        310069,
        409,
        "A name is already used: of a group, target or level in the brand, or of a period in the group.",
        "Capital and small letters are not told apart. The same request may also have been carried out before.",
        "Look at `GET /v3/targetGroups` whether it is there already; otherwise send another name.",
    )
    IMPOSSIBLE_COMBINATION = Refusal(
        310033,
        400,
        "Impossible combination of entity, type, kind, window or allocation.",
        "Each value is right by itself, but together they mean nothing: such as the sum of amounts of a customer, or "
        "periods with dates where each customer has a calendar of his own.",
        "Change one of the fields that the message names.",
    )
    INVALID_INPUT = Refusal(
        300004,
        400,
        "Invalid input.",
        "The body is not JSON, a field is missing, unknown or not in its form, or the body has not exactly one record.",
        "Correct the field that the error names. Sent again unchanged, it is refused again.",
    )
    KEY_REUSED = Refusal(
        300009,
        422,
        "The Idempotency-Key was used for another request: send a new one.",
        "A call with this key was answered already, and its method, path, query or body were different.",
        "Make a new key for each call, and send the old one only with a call that is repeated unchanged.",
    )
    STILL_RUNNING = Refusal(
        300010,
        409,
        "The first call with this Idempotency-Key is still running: try again.",
        "The same call was sent twice at a time, and the first has not been answered yet.",
        "Send it again, with the same key, after the seconds in `Retry-After`.",
    )
    NOT_A_SANDBOX = Refusal(
        300011,
        409,
        "The brand is not a sandbox: its clock cannot be set.",
        "Only a sandbox brand has a test clock. Whether a brand is one is fixed when it is made.",
        "Use the API user of a sandbox brand.",
    )
    CUSTOMER_ERASED = Refusal(
        300012,
        410,
        "The customer was erased: his id cannot be registered again.",
        "He was erased at his own request or by the brand's rules.",
        "Stop sending him. If he comes back as a new customer, give him a new id.",
    )
    NOT_A_LEAVE = Refusal(
        300013,
        409,
        "The receipt is not of a leave: there is nothing to take back.",
        "An unenrolment can be undone, and a scheduled leave cancelled. This receipt tells of another change.",
        "Take the `receiptId` of a receipt of kind `UNENROLLED` or `LEAVE_SCHEDULED`.",
    )
    ALREADY_UNDONE = Refusal(
        300014,
        409,
        "The leave has been taken back already.",
        "Its unenrolment was undone, or its scheduled leave was cancelled.",
        "Nothing is left to do. The receipt that names it in `undoes` says who did it, and when.",
    )
    CHANGED_SINCE = Refusal(
        300015,
        409,
        "The enrolment has changed since this leave.",
        "The customer has enrolled again, or an immediate leave has replaced the scheduled one. Only the last change "
        "of an enrolment can be taken back.",
        "Look at `GET .../enrollments/{customerId}` for where he stands now.",
    )
    TOO_LATE_TO_UNDO = Refusal(
        300016,
        409,
        "It is too late to take this leave back.",
        "The time in which an unenrolment can be undone is over, a period that was left has closed, or the scheduled "
        "leave has taken effect; the message says which.",
        "Enrol the customer again with `enroll`; for a streak `resetStreakStatus: false` continues its run.",
    )
    NOT_AUTHENTICATED = Refusal(
        4010,
        401,
        "Credentials are missing or wrong.",
        "No credentials were sent, the user name or the secret is wrong, or the API user or his brand is inactive.",
        "Check the header `Authorization`. A published client sends the MD5 of its secret: have the API user made so.",
    )
    NOT_PERMITTED = Refusal(
        4000,
        403,
        "The API user lacks the permission for this call.",
        "The API user is in no access group that may do this; or the scope of the token does not cover it.",
        "Ask who administers Milestreak to put the API user into such a group; or fetch a token with the scope.",
    )
    NOT_FOUND = Refusal(
        4040,
        404,
        "No such resource.",
        "The path is not one of the API, or what it names is not there.",
        "Compare the path with the document at `/docs`.",
    )
    METHOD_NOT_ALLOWED = Refusal(
        4050,
        405,
        "The resource does not answer to this method.",
        "The path is right, the method is not.",
        "Use a method that the header `Allow` names.",
    )
    BODY_TOO_LARGE = Refusal(
        4130,
        413,
        "The body is too large.",
        "A body may have 1 MiB, that of a bulk call 16 MiB.",
        "Send the records in several calls.",
    )
    UNSUPPORTED_MEDIA_TYPE = Refusal(
        4150,
        415,
        "The body must be application/json.",
        "The header `Content-Type` says something else, or is missing.",
        "Send `Content-Type: application/json`.",
    )
    TOO_MANY_REQUESTS = Refusal(
        4290,
        429,
        "Too many requests. Try again after the time in Retry-After.",
        "The API user has sent more than is allowed in this time; or wrong passwords come from this address.",
        "Wait the seconds in `Retry-After`. Prefer one bulk call to many single ones.",
    )
    INTERNAL_ERROR = Refusal(
        5000,
        500,
        "An error of ours. Quote the request id when you report it.",
        "Something happened that Milestreak does not foresee. The work under way was rolled back.",
        "Report it with the request id in the message, under which it stands in the log.",
    )
    UNAVAILABLE = Refusal(
        5030,
        503,
        "Cannot serve now. Try again after the time in Retry-After.",
        "The database is away, or somebody else was changing the same enrolment for too long. The work under way was "
        "rolled back.",
        "Send the call again after the seconds in `Retry-After`.",
    )


REFUSALS = {each.value.code: each.value for each in ErrorCode}


@dataclass(frozen=True)
class Caution:
    """What the code of a warning means. It comes beside the data of a success."""

    code: int
    meaning: str
    cause: str
    remedy: str


class WarningCode(Enum):
    REWARD_FORFEITED = Caution(
        310201,
        "A period-end reward is forfeited by this unenrolment.",
        "The customer has reached the value of a period whose reward is only given at its end, and leaves before.",
        "Tell the customer. To spare him: `unEnroll/preview` warns beforehand, and `effective: endOfCycle` lets him "
        "leave when the reward is given.",
    )
    FIELD_IGNORED = Caution(
        310202,
        "A field was ignored that would have mattered.",
        "The field does not apply here, or contradicts what decides; the message names it and says what was taken.",
        "Leave the field out, or correct it, so that the call says what happens.",
    )


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


class BatchNotFound(DomainError):
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


class NotALeave(DomainError):
    error = ErrorCode.NOT_A_LEAVE


class AlreadyUndone(DomainError):
    """`receipt_id` is of the receipt that took the leave back."""

    error = ErrorCode.ALREADY_UNDONE

    def __init__(self, message: str, *, receipt_id: int) -> None:
        super().__init__(message)
        self.receipt_id = receipt_id


class ChangedSince(DomainError):
    error = ErrorCode.CHANGED_SINCE


class TooLateToUndo(DomainError):
    error = ErrorCode.TOO_LATE_TO_UNDO


class StaleInstant(DomainError):
    """The participation changed after `at`, or the cycle has closed meanwhile (domain.md 3).

    The door takes a fresh now and runs the operation once more; a second time means "try again later".
    """

    error = ErrorCode.UNAVAILABLE

    def __init__(self, at: datetime) -> None:
        super().__init__(f"Something newer than {at.isoformat()} was recorded meanwhile. Try again.")
