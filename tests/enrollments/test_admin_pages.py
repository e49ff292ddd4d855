"""Every model in the admin: its list, its page, its search, and that history cannot be written."""

import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from enrollments.admin.told import for_customer
from enrollments.editing import CycleEdit, ProgrammeEdit, TargetEdit
from enrollments.enums import Effective
from enrollments.models import (
    Activity,
    ArchivedActivity,
    ArchivedOutcome,
    CountedTarget,
    DailyChanges,
    EveryActivity,
    EveryOutcome,
    PlannedLeave,
    TallyPosition,
)
from enrollments.operations import ActivityData, edit_programme, enroll, record_activity, unenroll
from enrollments.receipts import account
from targets.enums import Allocation, TrackingType
from targets.models import Brand, QuotaUse, StaffBrand, StoredAnswer
from targets.operations import Count, Refused, count_refused_calls, create_api_client
from tests.enrollments.admin_scene import ACT, LIST, NOW, enrolled, programme, signed_in, staff
from tests.enrollments.plan_scene import planned
from tests.factories import START, ApiUserFactory, freeze

pytestmark = pytest.mark.django_db

# A counter of the machinery; a memory of the API for a day: digests, and answers to others than the staff; what the
# pages of Activity and ActivityOutcome show; what the dashboard, the figures and the page of an uploaded list show.
ARCHIVE = {ArchivedActivity, ArchivedOutcome, EveryActivity, EveryOutcome}
OF_OTHER_PAGES = {CountedTarget, DailyChanges, PlannedLeave, TallyPosition}
NOT_SHOWN = {QuotaUse, StaffBrand, StoredAnswer, *ARCHIVE, *OF_OTHER_PAGES}  # StaffBrand: on the page of a user
MODELS = {
    model.__name__: model
    for label in ("targets", "rewards", "enrollments")
    for model in apps.get_app_config(label).get_models()
    if model not in NOT_SHOWN
}
# Statements of the list and of the page of one row, the session's and the user's among them.
STATEMENTS = {
    "Brand": (4, 3),
    "ApiUser": (5, 5),
    "ApiClient": (5, 3),
    "Customer": (5, 24),
    "TargetGroup": (5, 10),
    "Cycle": (6, 4),
    "Target": (6, 6),
    "TargetValue": (6, 5),
    "StreakLevel": (6, 5),
    "Inactivity": (6, 4),
    "ProgrammeChange": (6, 4),
    "AuditEntry": (4, 3),
    "FormerCycle": (6, 4),
    "FormerValue": (6, 6),
    "Reward": (6, 4),
    "Grant": (6, 7),
    "Participation": (6, 17),
    "Run": (6, 6),
    "Stay": (6, 7),
    "Progress": (6, 6),
    "Activity": (5, 5),
    "ActivityOutcome": (6, 7),
    "Receipt": (6, 16),
    "LeavePlan": (6, 19),
    "RefusedCalls": (5, 4),
}
EDITABLE = {"Brand", "ApiUser", "Customer"}
READ_ONLY = sorted(MODELS.keys() - EDITABLE)


def address(name, *parts):
    meta = MODELS[name]._meta
    return "/".join(["/admin", meta.app_label, meta.model_name, *map(str, parts), ""])


def one_more():
    """More rows in every table: a milestone achieved and left, and a streak with a level reached."""
    milestone, streak = programme(), programme(tracking_type=TrackingType.STREAKS, levels=(1,))
    left, _ = enrolled(milestone, achieved=True), enrolled(streak, achieved=True)
    unenroll(customer=left.customer, target=milestone, at=NOW, **ACT)
    edit = ProgrammeEdit(
        cycles={5: CycleEdit(ends_at=START + timedelta(days=151))},
        targets={milestone.pk: TargetEdit(values={5: Decimal(2)})},
    )
    edit_programme(target_group=milestone.target_group, edit=edit, at=NOW, **ACT)
    user = ApiUserFactory(brand=milestone.brand).user
    create_api_client(username=user.username, brand_name=None, group_name=None)
    freeze(streak.target_group)
    refused = Refused(user.api_user.brand_id, NOW.date(), "PUT /v3/clock", 300011)
    count_refused_calls({refused: Count(1, NOW, user.username, "r-7")})
    planned(milestone, enrolled(milestone).customer.customer_id, 404)


def statements(client, path):
    client.get(path)  # once before: Django remembers content types
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


@pytest.fixture
def chief():
    return signed_in(staff(username="chief", is_superuser=True))


def test_every_model_that_is_to_be_shown_is_registered():
    assert sorted(MODELS) == sorted(STATEMENTS)
    assert [name for name, model in MODELS.items() if not admin.site.is_registered(model)] == []
    assert [model for model in NOT_SHOWN if admin.site.is_registered(model)] == []


@pytest.mark.parametrize("name", MODELS)
def test_list_and_page_take_as_many_statements_with_three_times_the_rows(chief, name):
    one_more()
    row = MODELS[name].objects.earliest("pk").pk
    few = statements(chief, address(name)), statements(chief, address(name, row, "change"))
    one_more()
    one_more()

    many = statements(chief, address(name)), statements(chief, address(name, row, "change"))

    assert MODELS[name].objects.count() >= 3
    assert (few, many) == (STATEMENTS[name], STATEMENTS[name])


def test_enrolment_and_receipt_take_as_many_statements_however_long_their_story(chief):
    counts = []
    for cycles, times in ((2, 1), (60, 5)):
        target = programme(cycles=cycles)
        participation = enrolled(target, achieved=True)
        for _ in range(times):
            unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
            receipt = enroll(customer=participation.customer, target=target, at=NOW, **ACT)
        counts.append(
            (
                statements(chief, address("Participation", participation.pk, "change")),
                statements(chief, address("Receipt", receipt.pk, "change")),
            )
        )

    assert counts == [(17, 16), (17, 16)]


@pytest.mark.parametrize("name", READ_ONLY)
def test_history_and_programmes_can_be_neither_added_nor_changed_nor_deleted(chief, name):
    one_more()
    row = MODELS[name].objects.earliest("pk").pk
    before = list(MODELS[name].objects.order_by("pk").values())

    statuses = [
        chief.get(address(name, "add")).status_code,
        chief.post(address(name, "add"), {"name": "x"}).status_code,
        chief.post(address(name, row, "change"), {"name": "x", "reason": "x"}).status_code,
        chief.post(address(name, row, "delete"), {"post": "yes"}).status_code,
    ]
    deleted = chief.post(address(name), {"action": "delete_selected", "_selected_action": [row], "post": "yes"})

    adding = 200 if name == "TargetGroup" else 403  # a page of its own, which marks what is missing
    assert statuses == [adding, adding, 403, 403]
    assert deleted.status_code in (200, 302)  # no such action: the list again
    assert list(MODELS[name].objects.order_by("pk").values()) == before


@pytest.mark.parametrize("name", MODELS)
def test_nothing_can_be_deleted(chief, name):
    one_more()
    rows = MODELS[name].objects.count()

    response = chief.post(address(name, MODELS[name].objects.earliest("pk").pk, "delete"), {"post": "yes"})

    assert (response.status_code, MODELS[name].objects.count()) == (403, rows)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "query",
    [
        "q=x'%25_\"",
        "q=99999999999999999999999",
        "q=-1",
        "q=%00",
        "q=%23x",
        "q=٣",
        "group=99999999999999999999999",
        "group=%00",
        "group=nobody",
        "brand__id__exact=x",
        "p=100000",
        "p=x",
        "o=99",
        "_facets=True",
        "all=",
        "kind__exact=x",
    ],
)
def test_no_query_makes_a_list_fail(chief, name, query):
    response = chief.get(f"{address(name)}?{query}", follow=True)

    assert response.status_code == 200


@pytest.mark.parametrize("row", ["x", "0", "-1", "99999999999999999999999", "%00"])
@pytest.mark.parametrize("name", ["Participation", "Receipt", "Customer", "Grant"])
def test_page_of_no_row_leads_to_the_index(chief, name, row):
    response = chief.get(address(name, row, "change"))

    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("name", MODELS)
def test_staff_without_permission_sees_nothing(name):
    one_more()
    client = signed_in(staff())

    statuses = [
        client.get(address(name)).status_code,
        client.get(address(name, MODELS[name].objects.earliest("pk").pk, "change")).status_code,
    ]

    assert statuses == [403, 403]


def listed(client, name, **query):
    return [each.pk for each in client.get(address(name), query).context["cl"].result_list]


OF_A_CUSTOMER = {
    "Participation": "customer",
    "Grant": "customer",
    "Activity": "customer",
    "Receipt": "participation__customer",
    "Stay": "participation__customer",
    "Run": "participation__customer",
    "Progress": "participation__customer",
    "ActivityOutcome": "participation__customer",
}


@pytest.mark.parametrize("name", OF_A_CUSTOMER)
def test_rows_of_a_customer_are_found_by_his_number_external_id_or_address(chief, name):
    target = programme()
    mine = enrolled(target, achieved=True, customer_id=42, external_id="A-42", email="Ann@Example.org").customer
    enrolled(target, achieved=True, customer_id=420, external_id="A-420", email="ann@example.org.uk")

    found = [listed(chief, name, q=term) for term in ("42", " 42 ", "A-42", "ann@example.ORG", "4", "A-4", "Ann")]

    rows = list(MODELS[name].objects.filter(**{OF_A_CUSTOMER[name]: mine}).order_by("-pk").values_list("pk", flat=True))
    assert len(rows) == 1
    assert found == [rows, rows, rows, rows, [], [], []]


def test_activity_is_found_by_its_event_id(chief):
    one = Activity.objects.get(customer=enrolled(programme(), achieved=True).customer)

    assert listed(chief, "Activity", q=one.event_id) == [one.pk]
    assert listed(chief, "Activity", q=one.event_id[:-1]) == []


def test_receipt_is_found_by_its_number_and_by_its_batch(chief):
    target = programme()
    participation = enrolled(target)
    batch_id = uuid4()
    receipt = unenroll(customer=participation.customer, target=target, at=NOW, batch_id=batch_id, **ACT)

    assert listed(chief, "Receipt", q=f"#{receipt.pk}") == [receipt.pk]
    assert listed(chief, "Receipt", q=str(batch_id)) == [receipt.pk]
    assert listed(chief, "Receipt", q=f"#{receipt.pk + 1}") == []


def test_lists_are_filtered_by_brand_kind_source_and_target_group(chief):
    one, other = programme(name="ABC"), programme(name="XYZ")
    first, second = enrolled(one), enrolled(other)
    receipt = unenroll(customer=first.customer, target=one, at=NOW, **ACT)
    enrolments = [
        listed(chief, "Participation", brand__id__exact=one.brand_id),
        listed(chief, "Participation", group="abc"),
        listed(chief, "Participation", group=str(one.target_group_id)),
        listed(chief, "Participation", group="xyz", brand__id__exact=one.brand_id),
    ]
    receipts = [
        listed(chief, "Receipt", kind__exact="UNENROLLED"),
        listed(chief, "Receipt", source__exact="ADMIN"),
        listed(chief, "Receipt", group="XYZ"),
    ]

    assert enrolments == [[first.pk], [first.pk], [first.pk], []]
    assert receipts == [[receipt.pk], [], [second.receipts.get().pk]]


def test_group_filter_offers_the_groups_of_the_chosen_brand(chief):
    one = programme(name="ABC")
    programme(name="XYZ")

    both = chief.get(LIST).content.decode()
    chosen = chief.get(LIST, {"brand__id__exact": one.brand_id}).content.decode()

    assert ['value="ABC"' in both, 'value="XYZ"' in both] == [True, True]
    assert ['value="ABC"' in chosen, 'value="XYZ"' in chosen] == [True, False]


def test_list_says_who_is_enrolled_who_leaves_and_who_left(chief):
    target = programme()
    open_, leaving, left = (enrolled(target) for _ in range(3))
    unenroll(customer=leaving.customer, target=target, at=NOW, effective="endOfCycle", **ACT)
    unenroll(customer=left.customer, target=target, at=NOW, **ACT)

    def states():
        found = chief.get(LIST).context["cl"]
        return {each.pk: strip_tags(found.model_admin.state(each)) for each in found.result_list}

    now = states()
    Brand.objects.update(clock_at=START + timedelta(days=30))
    later = states()

    assert now == {
        open_.pk: "Enrolled",
        leaving.pk: "Enrolled, leaves 31 Jan 2026",
        left.pk: "Left 4 Jan 2026",
    }
    assert later[leaving.pk] == "Left 31 Jan 2026"


def test_enrolment_page_tells_the_whole_story(chief):
    target = programme(time_zone="Asia/Kolkata", name="ABC")
    participation = enrolled(target, achieved=True, customer_id=42)
    unenroll(customer=participation.customer, target=target, at=NOW, reason="Asked twice", **ACT)

    html = chief.get(address("Participation", participation.pk, "change")).content.decode()

    assert '<span class="badge left">Not enrolled</span> since 4 Jan 2026, 05:30.' in html
    assert "Times are in Asia/Kolkata; the brand's test clock stands at 4 Jan 2026, 05:30." in html
    assert html.count('<span class="badge left">Left</span>') == 4
    assert html.count('<span class="badge left_reward_kept">Left, reward kept</span>') == 1
    assert "Asked twice" in html
    assert "none: left before c1 had ended" in html
    for receipt in participation.receipts.all():
        assert address("Receipt", receipt.pk, "change") in html
    assert address("Grant", participation.customer.grants.get().pk, "change") in html


def test_enrolment_page_of_a_streak_shows_count_run_and_levels(chief):
    target = programme(tracking_type=TrackingType.STREAKS, levels=(1, 2), name="XYZ")
    participation = enrolled(target, achieved=True)
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    enroll(customer=participation.customer, target=target, at=NOW, reset_streak=True, **ACT)

    html = chief.get(address("Participation", participation.pk, "change")).content.decode()

    assert "<dd>0, in run 2</dd>" in html
    assert "<h2>Levels in run 2</h2>" in html
    assert html.count('<span class="badge not_reached">Not reached</span>') == 2
    assert "XYZ, level 1, run 1" in html


def test_enrolment_page_shows_the_newest_hundred_changes(chief, monkeypatch):
    monkeypatch.setattr("enrollments.admin.participations.MOST_RECEIPTS", 2)
    target = programme()
    participation = enrolled(target)
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    enroll(customer=participation.customer, target=target, at=NOW, **ACT)
    oldest, *newest = participation.receipts.order_by("pk")

    html = chief.get(address("Participation", participation.pk, "change")).content.decode()

    assert [address("Receipt", each.pk, "change") in html for each in (oldest, *newest)] == [False, True, True]
    assert "all receipts of the customer" in html


def test_receipt_page_says_what_it_meant_and_what_it_took_back(chief):
    target = programme(allocation="PERIOD_END", time_zone="Asia/Kolkata")
    participation = enrolled(target, achieved=True)
    receipt = unenroll(customer=participation.customer, target=target, at=NOW, reason="Moved", **ACT)

    html = chief.get(address("Receipt", receipt.pk, "change")).content.decode()

    assert "<strong>The reward of c1.</strong>" in html
    assert '4 Jan 2026, 05:30 <span class="quiet">Asia/Kolkata</span>' in html
    assert "Moved" in html


def test_text_for_the_customer_says_what_it_meant_and_names_nobody_and_no_reason(chief):
    target = programme(allocation=Allocation.PERIOD_END, name="ABC")
    forfeits, leaves = enrolled(target, achieved=True), enrolled(target)
    told = {"by": "margarethe", "source": "ADMIN", "reason": "Misuse"}

    texts = [
        for_customer(account(unenroll(customer=each.customer, target=target, at=NOW, effective=when, **told)))
        for each, when in ((forfeits, Effective.NOW), (leaves, Effective.END_OF_CYCLE))
    ]

    assert texts == [
        "ABC: unenrolled on 4 Jan 2026, 00:00 (UTC).\n"
        "Forfeited: the reward of c1. The target was reached, but the reward is given when the cycle closes, and the "
        "enrolment ended before.\n"
        "Left: c1 to c5.\n"
        f"Receipt {forfeits.receipts.latest('pk').pk}.",
        "ABC: leave scheduled on 4 Jan 2026, 00:00 (UTC).\n"
        "Member until the end of c1, 31 Jan 2026, 00:00.\n"
        "Kept: c1, with what was earned there or will still be given at the close.\n"
        "Left: c2 to c5.\n"
        f"Receipt {leaves.receipts.latest('pk').pk}.",
    ]


def test_activity_that_comes_late_does_not_change_a_receipts_page(chief):
    target = programme(target_value=5, late_days=5)
    participation = enrolled(target)
    leaving = START + timedelta(days=31)
    receipt = unenroll(customer=participation.customer, target=target, at=leaving, **ACT)

    def page():
        html = chief.get(address("Receipt", receipt.pk, "change")).content.decode()
        return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", html)

    before = page()
    late = ActivityData("late", "purchase", participation.customer.customer_id, START + timedelta(days=29))
    counted = record_activity(brand=target.brand, activity=late, at=leaving).outcomes[0].value
    after = page()

    assert counted == 1
    assert after == before
