"""Unenrolling in the admin: preview, reason, confirmation, and what became of each."""

from datetime import timedelta

import pytest

from enrollments.enums import ReceiptKind
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations import enroll, unenroll
from targets.enums import Allocation, TrackingType
from targets.models import Brand, TargetGroup
from tests.enrollments.admin_scene import (
    ACT,
    LIST,
    NOW,
    SUPPORT,
    UNENROL,
    buy,
    confirm,
    enrolled,
    programme,
    receipts_of_admin,
    seen,
    signed_in,
    staff,
    unenrol_page,
)
from tests.factories import START, freeze

pytestmark = pytest.mark.django_db


@pytest.fixture
def support():
    return signed_in(staff(*SUPPORT, username="sam"))


def rows():
    return (
        list(Stay.objects.order_by("pk").values()),
        list(Participation.objects.order_by("pk").values()),
        Receipt.objects.count(),
    )


def test_one_confirmed_is_unenrolled_and_his_receipt_shown(support):
    participation = enrolled(programme())

    response = confirm(support, unenrol_page(support, participation))

    (receipt,) = receipts_of_admin()
    assert (response.status_code, response["Location"]) == (302, f"/admin/enrollments/receipt/{receipt.pk}/change/")
    assert (receipt.kind, receipt.actor, receipt.reason) == (ReceiptKind.UNENROLLED, "sam", "Moved abroad")
    assert receipt.request_id == response["X-Cap-Requestid"]
    assert (receipt.participation_id, receipt.end_cycle, receipt.effective_at) == (participation.pk, 1, NOW)
    assert participation.stays.get().left_at == NOW
    shown = support.get(response["Location"]).content.decode()
    assert f"Customer {participation.customer} has left {participation.target}." in shown
    assert "<dt>Left</dt><dd>c1 to c5.</dd>" in shown


def test_preview_says_what_is_kept_left_and_forfeited_and_writes_nothing(support):
    target = programme(allocation=Allocation.PERIOD_END)
    participation = enrolled(target, achieved=True)
    Brand.objects.update(clock_at=START + timedelta(days=33))
    buy(target, participation.customer, START + timedelta(days=31))
    before = rows()

    html = unenrol_page(support, participation)

    assert rows() == before
    assert "<dt>Kept</dt><dd>c1." in html
    assert "<dt>Left</dt><dd>c2 to c5.</dd>" in html
    assert '<div class="forfeited"><dt>Forfeited</dt><dd><strong>The reward of c2, 100 points.</strong>' in html
    assert "Leaving at the end of the running cycle keeps it." in html
    assert 'name="show" value="endOfCycle" class="instead">' in html
    assert '<dd>3 Feb 2026, 00:00 <span class="quiet">UTC</span></dd>' in html


def test_reward_given_at_once_is_said_to_stay_his(support):
    participation = enrolled(programme(), achieved=True)

    html = unenrol_page(support, participation)

    assert "<dt>Left</dt><dd>c1 to c5. The reward given for c1 stays his.</dd>" in html
    assert "Forfeited" not in html


def test_levels_reached_are_shown_as_kept(support):
    target = programme(tracking_type=TrackingType.STREAKS, levels=(1, 2), name="XYZ")
    participation = enrolled(target, achieved=True)

    html = unenrol_page(support, participation)

    assert "<dt>Kept</dt><dd>Level XYZ, level 1: 100 points.</dd>" in html


def test_instants_are_in_the_zone_of_the_programme(support):
    participation = enrolled(programme(time_zone="Asia/Kolkata"))

    html = unenrol_page(support, participation)

    assert '<dd>4 Jan 2026, 05:30 <span class="quiet">Asia/Kolkata</span></dd>' in html


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("", "Say why: the reason is kept on the receipt."),
        ("  ", "Say why: the reason is kept on the receipt."),
        ("x" * 501, "The text is longer than 500 characters."),
        ("one\x07two", "The text has a control character: take it out."),
    ],
)
def test_unusable_reason_changes_nothing_and_says_so(support, reason, message):
    html = unenrol_page(support, enrolled(programme()))
    before = rows()

    response = confirm(support, html, reason=reason)

    assert (response.status_code, rows()) == (200, before)
    assert message in response.content.decode()


def test_several_of_different_brands_get_one_batch_and_a_row_each(support):
    first, second = enrolled(programme()), enrolled(programme(allocation=Allocation.PERIOD_END), achieved=True)

    response = confirm(support, unenrol_page(support, first, second))

    receipts = receipts_of_admin()
    assert {each.participation_id for each in receipts} == {first.pk, second.pk}
    assert len({each.batch_id for each in receipts}) == 1
    html = response.content.decode()
    assert "2 of 2 unenrolled" in html
    assert all(f"/admin/enrollments/receipt/{each.pk}/change/" in html for each in receipts)
    assert "the reward of c1." in html
    assert 'name="confirm"' not in html


def test_some_refused_leaves_the_others_done(support):
    target = programme()
    first, second = enrolled(target), enrolled(target)
    unenroll(customer=second.customer, target=target, at=NOW, **ACT)
    html = unenrol_page(support, first, second)

    response = confirm(support, html)

    assert "1 of 2 can be unenrolled" in html
    assert "Not enrolled: left 4 Jan 2026, 00:00 (UTC)." in html
    assert [each.participation_id for each in receipts_of_admin()] == [first.pk]
    assert "1 of 2 unenrolled" in response.content.decode()
    assert "Had left already" in response.content.decode()


def test_programme_that_is_over_is_refused_in_the_preview(support):
    participation = enrolled(programme(cycles=1))
    Brand.objects.update(clock_at=START + timedelta(days=30))

    html = unenrol_page(support, participation)

    assert "<strong>Cannot be unenrolled.</strong> Target period not found: the last period is over" in html
    assert 'name="confirm"' not in html


def test_end_of_cycle_is_previewed_and_scheduled(support):
    target = programme(allocation=Allocation.PERIOD_END)
    participation = enrolled(target, achieved=True)
    first = unenrol_page(support, participation)

    html = support.post(UNENROL, {"seen": seen(first), "show": "endOfCycle", "reason": "Asked"}).content.decode()
    before = rows()
    response = confirm(support, html, effective="endOfCycle")

    assert before[2] == 1
    assert 'value="Asked"' in html
    assert "<dt>Kept</dt><dd>c1." in html
    assert '<dd>31 Jan 2026, 00:00 <span class="quiet">UTC</span></dd>' in html
    (receipt,) = receipts_of_admin()
    assert (receipt.kind, receipt.end_cycle) == (ReceiptKind.LEAVE_SCHEDULED, 2)
    assert response.status_code == 302


def test_leave_that_is_scheduled_already_is_refused_at_the_end_and_taken_now(support):
    target = programme()
    participation = enrolled(target)
    unenroll(customer=participation.customer, target=target, at=NOW, effective="endOfCycle", **ACT)
    first = unenrol_page(support, participation)

    again = support.post(UNENROL, {"seen": seen(first), "show": "endOfCycle"}).content.decode()
    confirm(support, again, effective="endOfCycle")
    assert receipts_of_admin().count() == 0
    confirm(support, first)

    assert "The leave had been scheduled before: nothing changed." in again
    assert [each.end_cycle for each in receipts_of_admin()] == [1]


def test_scheduled_by_somebody_else_meanwhile_is_not_reported_as_ours(support):
    target = programme()
    participation = enrolled(target)
    html = support.post(
        UNENROL, {"seen": seen(unenrol_page(support, participation)), "show": "endOfCycle"}
    ).content.decode()
    unenroll(customer=participation.customer, target=target, at=NOW, effective="endOfCycle", **ACT)

    response = confirm(support, html, effective="endOfCycle")

    assert "The leave had been scheduled before: nothing changed." in response.content.decode()
    assert "0 of 1 unenrolled" in response.content.decode()


def test_confirmed_twice_writes_one_receipt(support):
    html = unenrol_page(support, enrolled(programme()))

    first, second = confirm(support, html), confirm(support, html)

    assert (first.status_code, second.status_code) == (302, 200)
    assert receipts_of_admin().count() == 1
    assert "Not enrolled: left 4 Jan 2026, 00:00 (UTC)." in second.content.decode()


def achieve(target, participation):
    buy(target, participation.customer)


def next_cycle(target, participation):
    Brand.objects.update(clock_at=START + timedelta(days=31))


def left_and_back(target, participation):
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    enroll(customer=participation.customer, target=target, at=NOW, **ACT)


def schedule(target, participation):
    unenroll(customer=participation.customer, target=target, at=NOW, effective="endOfCycle", **ACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (achieve, "the verdict on the running cycle was “left”, now it is “left, reward forfeited”"),
        (next_cycle, "the running cycle was number 1, now it is number 2"),
        (left_and_back, "he left and enrolled again"),
        (schedule, "a leave at the end of a cycle was scheduled or cancelled"),
    ],
)
def test_what_changed_since_the_preview_is_refused_named_and_shown_anew(support, change, message):
    target = programme(allocation=Allocation.PERIOD_END)
    participation = enrolled(target)
    html = unenrol_page(support, participation)
    change(target, participation)
    before = rows()

    response = confirm(support, html)
    changed = rows()
    second = confirm(support, response.content.decode())

    assert (response.status_code, changed) == (200, before)
    assert message in response.content.decode()
    assert 'value="Moved abroad"' in response.content.decode()
    assert second.status_code == 302
    assert receipts_of_admin().count() == 1


def test_a_higher_value_with_the_same_verdict_is_no_change(support):
    target = programme(target_value=3)
    participation = enrolled(target)
    html = unenrol_page(support, participation)
    buy(target, participation.customer)

    response = confirm(support, html)

    assert response.status_code == 302
    assert receipts_of_admin().get().running_value == 1


def test_refused_in_the_preview_but_possible_now_is_shown_anew(support):
    target = programme()
    participation = enrolled(target)
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    html = unenrol_page(support, participation)
    enroll(customer=participation.customer, target=target, at=NOW, **ACT)

    response = confirm(support, html)

    assert receipts_of_admin().count() == 0
    assert "Changed since the preview: he was not to be unenrolled, now he would be." in response.content.decode()


@pytest.mark.parametrize("shown", ["", "x", "1.2.3", "<script>"])
def test_tampered_preview_is_never_taken_for_consent(support, shown):
    participation = enrolled(programme())

    response = support.post(
        UNENROL, {"seen": [f"{participation.pk}:{shown}"], "reason": "r", "confirm": "Unenrol", "effective": "now"}
    )

    assert (response.status_code, receipts_of_admin().count()) == (200, 0)


def test_inactive_programme_needs_the_box_ticked(support):
    participation = enrolled(programme())
    freeze(TargetGroup.objects.get())
    html = unenrol_page(support, participation)

    without = confirm(support, html)
    refused = receipts_of_admin().count()
    ticked = confirm(support, without.content.decode(), include_inactive="on")

    assert "Also in an inactive programme" in html
    assert refused == 0
    assert "The programme is inactive: tick the box to unenrol from it." in without.content.decode()
    assert (ticked.status_code, receipts_of_admin().count()) == (302, 1)


def test_active_programme_offers_no_box(support):
    assert "include_inactive" not in unenrol_page(support, enrolled(programme()))


def test_action_of_the_list_leads_to_the_page_and_changes_nothing(support):
    first, second = enrolled(programme()), enrolled(programme())
    before = rows()

    response = support.post(LIST, {"action": "unenroll_selected", "_selected_action": [first.pk, second.pk]})

    assert (response.status_code, rows()) == (200, before)
    assert len(seen(response.content.decode())) == 2


@pytest.mark.parametrize(("most", "approval_above"), [(1, 500), (500, 1), (500, 0)])
def test_more_than_can_be_done_at_once_are_refused_with_the_way_to_do_it(
    support, monkeypatch, settings, most, approval_above
):
    monkeypatch.setattr("enrollments.admin.unenrolling.MOST_AT_ONCE", most)
    settings.BULK_APPROVAL_ABOVE = approval_above
    target = programme()
    chosen = [enrolled(target).pk, enrolled(target).pk]
    posted = {"seen": [f"{each}:" for each in chosen], "reason": "r", "confirm": "Unenrol", "effective": "now"}

    by_action = support.post(LIST, {"action": "unenroll_selected", "_selected_action": chosen}, follow=True)
    by_post = support.post(UNENROL, posted, follow=True)

    assert "there is “Unenrol many” on the page of the programme" in by_action.content.decode()
    assert "there is “Unenrol many” on the page of the programme" in by_post.content.decode()
    assert receipts_of_admin().count() == 0


@pytest.mark.parametrize("query", ["", "?id=x", "?id=99999999999999999999", "?id=12345"])
def test_no_such_enrolment_leads_back_to_the_list(support, query):
    response = support.get(UNENROL + query)

    assert (response.status_code, response["Location"]) == (302, LIST)


def test_statements_of_a_preview_do_not_grow_with_cycles(support, django_assert_num_queries):
    short, long = enrolled(programme(cycles=2)), enrolled(programme(cycles=60))
    unenrol_page(support, short)

    for participation in (short, long):
        with django_assert_num_queries(18):
            unenrol_page(support, participation)
