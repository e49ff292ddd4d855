"""A brand with a row of every kind, whose every text bears one word: so that it is seen wherever it should not be."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from enrollments.editing import CycleEdit, ProgrammeEdit, TargetEdit
from enrollments.enums import ReceiptKind
from enrollments.leave_plans import plan_chunk
from enrollments.models import LeavePlan, Participation
from enrollments.operations import edit_programme, unenroll
from targets.enums import TrackingType
from targets.models import AuditEntry, Brand, Customer, Target
from targets.operations import Count, Refused, count_refused_calls, create_api_client
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, seen, signed_in, staff, unenrol_page
from tests.enrollments.plan_scene import uploaded
from tests.enrollments.test_admin_editing import filled_in, page_of
from tests.enrollments.test_admin_rewarding import VOUCHER, opened
from tests.factories import ApiUserFactory, BrandFactory, freeze
from tests.rewards.defining_scene import press, sent_by, typed

NUMBER = 423_789_336  # of the customer whom everybody looks for


@dataclass(frozen=True)
class Story:
    """`open`: an enrolment that goes on; `leaving`: one whose leave is scheduled; `left`: one that is over.

    `listed`: an uploaded list that nobody has looked at yet; `waiting`: one that waits for a second person's approval.
    """

    brand: Brand
    milestone: Target
    open: Participation
    leaving: Participation
    left: Participation
    listed: LeavePlan
    waiting: LeavePlan

    @property
    def customer(self) -> Customer:
        return self.open.customer

    def row(self, model: type[Model]) -> Any:
        """The key of one of its rows; of what belongs to no brand, of any."""
        if model in (User, Group, AuditEntry):
            return model._default_manager.latest("pk").pk
        path = admin.site.get_model_admin(model).brand_path
        return model._default_manager.filter(**{path: self.brand.pk}).earliest("pk").pk

    @cached_property
    def chief(self) -> Client:
        return signed_in(staff(is_superuser=True))

    # What the page of each operation would send, so that a POST that is let through does something.

    @cached_property
    def unenrolling(self) -> dict[str, Any]:
        html = unenrol_page(self.chief, self.open)
        return {"seen": seen(html), "effective": "now", "reason": "Moved", "confirm": "x"}

    @cached_property
    def unenrolling_two(self) -> dict[str, Any]:
        html = unenrol_page(self.chief, self.open, self.leaving)
        return {"seen": seen(html), "effective": "now", "reason": "Moved", "confirm": "x"}

    @cached_property
    def reenrolling(self) -> dict[str, Any]:
        page = self.chief.get(f"/admin/enrollments/participation/{self.left.pk}/re-enrol/")
        return {"way": "carry_on", "reason": "Back"} | {
            f"seen_{each.way}": shown for each, shown in page.context["returns"]
        }

    @property
    def uploading(self) -> dict[str, Any]:
        """A file is read once."""
        upload = SimpleUploadedFile("list.csv", str(NUMBER).encode())
        return {"target": self.milestone.pk, "list": upload, "effective": "now", "reason": "Moved"}

    @cached_property
    def cancelling(self) -> dict[str, Any]:
        receipt = self.leaving.receipts.get(kind=ReceiptKind.LEAVE_SCHEDULED)
        return {"reason": "Stays", "scheduled_by": receipt.pk}

    @cached_property
    def editing(self) -> dict[str, Any]:
        form = filled_in(self.chief.get(page_of(self.milestone)).content.decode())
        return form | {"late_days": "3", "confirm": "x"}

    @cached_property
    def rewarding(self) -> dict[str, Any]:
        _, form = opened(self.chief, self.milestone, target=self.milestone.pk)
        return form | VOUCHER | {"confirm": "x"}

    @cached_property
    def defining(self) -> dict[str, Any]:
        return sent_by(press(self.chief, "preview", typed(self.brand, name="Quite new"))) | {"create": "x"}

    @cached_property
    def registering(self) -> dict[str, Any]:
        return {"brand": self.brand.pk, "customer_id": 815_000_000}


def story_of(word: str) -> Story:
    brand = BrandFactory(name=f"{word} brand", sandbox=True, clock_at=NOW)
    milestone = programme(brand=brand, name=f"{word} milestone")
    streak = programme(brand=brand, tracking_type=TrackingType.STREAKS, levels=(1,), name=f"{word} streak")
    known = {"first_name": word, "email": f"{word}@example.org", "external_id": f"{word}-1", "mobile": f"+49 {NUMBER}"}
    open_ = enrolled(milestone, achieved=True, customer_id=NUMBER, **known)
    leaving, left = enrolled(milestone), enrolled(milestone, achieved=True, first_name=word)
    enrolled(streak, achieved=True)
    unenroll(customer=left.customer, target=milestone, at=NOW, reason=word, **ACT)
    unenroll(customer=leaving.customer, target=milestone, at=NOW, effective="endOfCycle", reason=word, **ACT)
    with_history(milestone, streak, at=NOW)
    till = ApiUserFactory(brand=brand, user__username=f"{word}-till").user.username
    create_api_client(username=till, brand_name=None, group_name=None)
    refused = Refused(brand.pk, timezone.now().date(), f"POST /v3/{word}", 310011)
    count_refused_calls({refused: Count(1, timezone.now(), till, word)})
    Group.objects.get_or_create(name="Night shift")
    listed, waiting = two_lists(milestone, NUMBER, f"{word}-1", word, by=f"{word}-lead", reason=word)
    return Story(brand, milestone, open_, leaving, left, listed, waiting)


def two_lists(target: Target, *names: Any, **details: Any) -> tuple[LeavePlan, LeavePlan]:
    """`listed` and `waiting`."""
    listed, waiting = (uploaded(target, *names, **details) for _ in range(2))
    LeavePlan.objects.filter(pk=waiting.pk).update(approval_above=0)
    return listed, plan_chunk(plan=waiting, at=NOW, by=waiting.uploaded_by)


def with_history(milestone: Target, streak: Target, *, at: datetime) -> None:
    """Rows of those kinds that only editing and freezing make: the last cycle ends a day later."""
    last = milestone.target_group.cycles.latest("number")
    edit = ProgrammeEdit(
        cycles={last.number: CycleEdit(ends_at=last.bounds[1] + timedelta(days=1))},
        targets={milestone.pk: TargetEdit(values={last.number: Decimal(2)})},
    )
    edit_programme(target_group=milestone.target_group, edit=edit, at=at, **ACT)
    freeze(streak.target_group)
