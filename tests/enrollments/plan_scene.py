"""The scene of the tests of uploaded lists."""

from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from enrollments.enums import Effective, PlanState
from enrollments.leave_plans import plan_chunk, run_chunk
from enrollments.models import LeavePlan
from enrollments.operations import upload_plan
from enrollments.uploaded import read_list

LEAD = (
    "targets.view_targetgroup",
    "targets.view_customer",
    "enrollments.view_participation",
    "enrollments.view_leaveplan",
    "enrollments.view_receipt",
    "enrollments.bulk_unenroll",
)
SECOND = (*LEAD[:-1], "enrollments.approve_bulk")
LISTS = "/admin/enrollments/leaveplan/"


def upload_address(target):
    return f"/admin/targets/targetgroup/{target.target_group_id}/unenrol_many/"


def page_of(plan, deed="change"):
    return f"{LISTS}{plan.pk}/{deed}/"


def csv_of(*names):
    return "\n".join(str(each) for each in names).encode()


def uploaded(target, *names, by="sam", effective=Effective.NOW, **details):
    """A list of customers, named as in a file, that nobody has looked at yet."""
    given = read_list(csv_of(*names))
    details = {"reason": "Moved abroad", "at": timezone.now()} | details
    plan = upload_plan(target=target, given=given, effective=effective, by=by, **details)
    plan.brand = target.brand
    return plan


def planned(target, *names, by="sam", **details):
    plan = uploaded(target, *names, by=by, **details)
    while plan.state == PlanState.PLANNING:
        plan = plan_chunk(plan=plan, at=timezone.now(), by=by)
    return plan


def run_to_its_end(plan, by="sam"):
    while plan.state == PlanState.RUNNING:
        plan = run_chunk(plan=plan, at=timezone.now(), by=by)
    return plan


def told(plan):
    """Line, verdict and outcome of each."""
    return list(plan.lines.order_by("line").values_list("line", "verdict", "outcome"))


def posted(target, content):
    """What the form sends of somebody who has chosen a file."""
    return {
        "target": target.pk,
        "list": SimpleUploadedFile("customers.csv", content, "text/csv"),
        "effective": "now",
        "reason": "Moved abroad",
    }


def send(client, target, content, **details):
    return client.post(upload_address(target), posted(target, content) | details)


def press(client, plan, state=None, deed="go_on"):
    """Send the button of the page; `state`: the one that stood on it."""
    state = state or LeavePlan.objects.get(pk=plan.pk).state
    return client.post(page_of(plan, deed), {"seen": state})


def older(plan, **ago):
    LeavePlan.objects.filter(pk=plan.pk).update(
        uploaded_at=timezone.now() - timedelta(**ago), planned_at=timezone.now() - timedelta(**ago)
    )
    plan.refresh_from_db()
