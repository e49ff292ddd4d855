"""Enrolling somebody again in the admin: carry on, or start fresh."""

import html
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollments.editing import CycleEdit, ProgrammeEdit
from enrollments.enums import ReceiptKind
from enrollments.models import Participation, Progress, Receipt, Stay
from enrollments.operations import edit_programme, enroll, erase_customer, unenroll
from rewards.models import Grant
from targets.enums import Allocation, TrackingType
from targets.models import Cycle
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme, receipts_of_admin, signed_in, staff
from tests.factories import freeze
from tests.faults import everything

pytestmark = pytest.mark.django_db

LEAD = ("enrollments.view_participation", "enrollments.view_receipt", "enrollments.enroll")


@pytest.fixture
def lead():
    return signed_in(staff(*LEAD, username="lea"))


def left(target, **details):
    participation = enrolled(target, **details)
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    return participation


def page_of(participation):
    return f"/admin/enrollments/participation/{participation.pk}/re-enrol/"


def looked_at(client, participation):
    """What the page sends, and what it says of each way, as words."""
    answer = client.get(page_of(participation))
    sent = {f"seen_{each.way}": shown for each, shown in answer.context["returns"]}
    ways = re.findall('<label class="way">(.*?)</label>', answer.content.decode(), re.DOTALL)
    return sent, [html.unescape(" ".join(re.sub("<[^>]+>", " ", each).split())) for each in ways]


def choose(client, participation, way, sent, reason="Was out by mistake"):
    return client.post(page_of(participation), sent | {"way": way, "reason": reason})


def last_stay(participation):
    return Stay.objects.filter(participation=participation).latest("pk")


def test_button_is_on_the_page_of_whoever_is_out_for_whoever_may(lead):
    target = programme()
    out, inside, erased = left(target), enrolled(target), left(target)
    erase_customer(customer=erased.customer, at=NOW, **ACT)
    reader = signed_in(staff(*LEAD[:2]))

    def shown(client, participation):
        page = client.get(f"/admin/enrollments/participation/{participation.pk}/change/").content.decode()
        return page_of(participation) in page

    assert [shown(lead, each) for each in (out, inside, erased)] == [True, False, False]
    assert not shown(reader, out)


def test_page_says_what_either_way_means_for_a_milestone_and_changes_nothing(lead):
    participation = left(programme(target_value=3), achieved=True)
    before = everything()

    _, (carry_on, fresh) = looked_at(lead, participation)

    assert carry_on == (
        "Carry on Member of c1 and all later cycles; c1 is 1 Jan 2026 – 30 Jan 2026. In c1 he has 1 of 3."
    )
    assert fresh == (
        "Start fresh Member of c1 and all later cycles; c1 is 1 Jan 2026 – 30 Jan 2026. In c1 he has 0 of 3. "
        "Activity of that cycle before this moment does not count."
    )
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"django_session"}


@pytest.mark.parametrize(("way", "value"), [("carry_on", 1), ("start_fresh", 0)])
def test_milestone_goes_on_with_its_value_or_starts_at_0(lead, way, value):
    participation = left(programme(target_value=3), achieved=True)
    sent, _ = looked_at(lead, participation)

    answer = choose(lead, participation, way, sent)

    (receipt,) = receipts_of_admin()
    assert answer["Location"] == f"/admin/enrollments/receipt/{receipt.pk}/change/"
    assert (receipt.kind, receipt.actor, receipt.reason) == (ReceiptKind.REENROLLED, "lea", "Was out by mistake")
    assert last_stay(participation).end_cycle is None
    assert Progress.objects.get(participation=participation).value == Decimal(value)


def test_forfeited_reward_is_paid_by_the_close_of_whoever_carries_on(lead):
    participation = left(programme(allocation=Allocation.PERIOD_END), achieved=True)

    _, (carry_on, fresh) = looked_at(lead, participation)

    assert "That is reached: its close gives him the reward." in carry_on
    assert "That is reached" not in fresh


def test_reward_that_was_given_is_said_not_to_be_given_again(lead):
    participation = left(programme(), achieved=True)

    _, ways = looked_at(lead, participation)

    assert ["Its reward was given, and is not given again." in each for each in ways] == [True, True]


@pytest.mark.parametrize(("way", "run", "grants"), [("carry_on", 1, 1), ("start_fresh", 2, 2)])
def test_streak_goes_on_or_begins_anew(lead, way, run, grants):
    target = programme(tracking_type=TrackingType.STREAKS, levels=(1,), name="XYZ")
    participation = left(target, achieved=True)
    sent, (carry_on, fresh) = looked_at(lead, participation)
    assert (
        "Run 1 goes on with a streak count of 1. XYZ, level 1 was given in it, and is not given again. "
        "In c1 he has 1 of 1."
    ) in carry_on
    assert (
        "Run 2 begins with a streak count of 0. Every level can be earned and is given once more. "
        "What he has stays his. In c1 he has 0 of 1."
    ) in fresh

    choose(lead, participation, way, sent)
    buy(target, participation.customer, NOW)

    assert Participation.objects.get(pk=participation.pk).run_number == run
    assert Grant.objects.filter(customer=participation.customer).count() == grants


@pytest.mark.parametrize("happens", ["came back and left", "programme was edited", "next cycle runs"])
def test_what_has_changed_since_it_was_shown_is_shown_again_and_nothing_is_done(lead, happens):
    participation = left(programme(target_value=3), achieved=True)
    target, customer = participation.target, participation.customer
    sent, _ = looked_at(lead, participation)
    if happens == "came back and left":
        enroll(customer=customer, target=target, at=NOW, **ACT)
        unenroll(customer=customer, target=target, at=NOW, **ACT)
    elif happens == "programme was edited":
        ends_at = Cycle.objects.get(target_group=target.target_group, number=5).ends_at
        edit = ProgrammeEdit(cycles={5: CycleEdit(ends_at=ends_at + timedelta(days=1))})
        edit_programme(target_group=target.target_group, edit=edit, at=NOW, **ACT)
    else:
        ends_at = Cycle.objects.get(target_group=target.target_group, number=1).ends_at
        type(target.brand).objects.filter(pk=target.brand_id).update(clock_at=ends_at)

    answer = choose(lead, participation, "carry_on", sent)

    assert "What coming back would mean has changed meanwhile. Look at it again." in answer.content.decode()
    assert receipts_of_admin().count() == 0
    again = {f"seen_{each.way}": shown for each, shown in answer.context["returns"]}
    assert choose(lead, participation, "carry_on", again).status_code == 302


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"way": ""}, "Choose one of the two."),
        ({"way": "somehow"}, "Select a valid choice."),
        ({"reason": " "}, "Say why: the reason is kept on the receipt."),
    ],
)
def test_choice_and_reason_are_asked_for(lead, details, message):
    participation = left(programme())
    sent, _ = looked_at(lead, participation)

    answer = lead.post(page_of(participation), sent | {"way": "carry_on", "reason": "Back"} | details)

    assert message in answer.content.decode()
    assert receipts_of_admin().count() == 0


def test_refusal_stands_on_the_page_that_offers_nothing_then(lead):
    inside, frozen = enrolled(programme()), left(programme())
    freeze(frozen.target.target_group)
    erased = left(programme())
    erase_customer(customer=erased.customer, at=NOW, **ACT)

    pages = [lead.get(page_of(each)).content.decode() for each in (inside, frozen, erased)]

    for page, why in zip(pages, ("already enrolled", "not found or inactive", "was erased on"), strict=True):
        assert "Cannot be enrolled again." in page
        assert why in page
        assert 'value="Enrol again"' not in page
    assert lead.post(page_of(inside), {"way": "carry_on", "reason": "Back"}).status_code == 200
    assert receipts_of_admin().count() == 0


def test_page_takes_the_same_statements_however_long_programme_and_history_are(lead):
    short, long = left(programme(cycles=2)), left(programme(cycles=60))
    for _ in range(3):
        enroll(customer=long.customer, target=long.target, at=NOW, **ACT)
        unenroll(customer=long.customer, target=long.target, at=NOW, **ACT)
    lead.get(page_of(short))

    costs = []
    for participation in (short, long):
        with CaptureQueriesContext(connection) as queries:
            lead.get(page_of(participation))
        costs.append(len(queries))

    assert costs[0] == costs[1]


def test_form_from_another_site_is_refused():
    participation = left(programme())
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff(*LEAD))

    assert choose(client, participation, "carry_on", {}).status_code == 403
    assert Receipt.objects.filter(kind=ReceiptKind.REENROLLED).count() == 0


def test_texts_are_shown_as_texts(lead):
    participation = left(programme(), first_name="<script>alert(1)</script>")

    assert "<script>alert(1)" not in lead.get(page_of(participation)).content.decode()
