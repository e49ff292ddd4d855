"""What somebody may do to an enrolment as it stands: the buttons of its own page and of its customer's."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from enrollments.admin.reenrolling import PERMISSION as ENROL
from enrollments.admin.undoing import PERMISSION as UNDO
from enrollments.admin.unenrolling import Unenrolling
from enrollments.enums import ReceiptKind
from enrollments.models import Participation, Receipt
from enrollments.operations.undoing import undo_until
from enrollments.standing import Standing
from targets.admin.lists import console_of


@dataclass(frozen=True)
class Deeds:
    """`undoes`: the receipt of the leave that may still be taken back, as far as time goes."""

    may_unenroll: bool
    may_cancel: bool
    may_reenrol: bool
    undoes: Receipt | None

    @property
    def are_any(self) -> bool:
        return self.may_unenroll or self.may_cancel or self.may_reenrol or self.undoes is not None


def deeds(site: AdminSite, request: HttpRequest, standing: Standing, at: datetime) -> Deeds:
    """Asks for permissions only, no row."""
    enrolments, receipts = console_of(site, Participation), console_of(site, Receipt)
    assert isinstance(enrolments, Unenrolling)  # noqa: S101 - for the type checker: this is how it is registered
    assert receipts is not None  # noqa: S101 - as well
    is_out, is_erased = not standing.is_enrolled, standing.participation.customer.erased_at is not None
    leave = standing.leaves.get(standing.stays[-1].pk) if standing.stays else None
    is_undoable = leave is not None and leave.kind == ReceiptKind.UNENROLLED and undo_until(leave) > at
    return Deeds(
        may_unenroll=standing.is_enrolled and enrolments.may_unenroll(request, 1),
        may_cancel=standing.leaves_at_end_of is not None and enrolments.may(request, "enrollments.cancel_leave"),
        may_reenrol=is_out and not is_erased and enrolments.may(request, ENROL),
        undoes=leave if is_undoable and is_out and not is_erased and receipts.may(request, UNDO) else None,
    )
