"""The admin where each customer has a calendar of his own: pages of cycles without dates, and leaves without an end."""

import pytest

from enrollments.enums import Effective
from enrollments.models import Participation
from enrollments.operations import cancel_leave, unenroll
from targets.enums import EvaluationType
from tests.enrollments.admin_scene import (
    ACT,
    LIST,
    NOW,
    UNENROL,
    buy,
    confirm,
    enrolled,
    programme,
    receipts_of_admin,
    seen,
    signed_in,
    unenrol_page,
)
from tests.factories import START, UserFactory

pytestmark = pytest.mark.django_db

CYCLIC, AGNOSTIC = EvaluationType.CYCLIC_WINDOW, EvaluationType.PERIOD_AGNOSTIC_WINDOW


@pytest.fixture
def client():
    return signed_in(UserFactory(is_staff=True, is_superuser=True))


def page(client, participation):
    return client.get(f"{LIST}{participation.pk}/change/").content.decode()


def test_enrolment_says_which_cycles_have_not_begun_and_from_when_on_they_have(client):
    participation = enrolled(programme(window=CYCLIC, target_value=2, cycles=2))

    before = page(client, participation)
    buy(participation.target, participation.customer)
    after = page(client, participation)

    assert (before.count(">not begun<"), after.count(">not begun<")) == (2, 0)
    assert ">Has not begun: the calendar begins with the first activity that counts.<" in before
    assert ">Not achieved yet: 1 of 2, and the cycle runs until 30 Jan 2026.<" in after
    assert "1 Jan 2026 – 30 Jan 2026" in after


def test_open_cycle_is_shown_without_an_end(client):
    participation = enrolled(programme(window=AGNOSTIC, target_value=2, cycles=2))

    shown = page(client, participation)

    assert "from 1 Jan 2026" in shown
    assert ">not begun<" in shown
    assert ">Not achieved yet: 0 of 2.<" in shown
    assert ">Has not begun: it begins when the cycle before is achieved.<" in shown


@pytest.mark.parametrize("window", [CYCLIC, AGNOSTIC])
def test_leave_at_the_end_of_his_cycle_is_previewed_made_and_shown_while_nobody_knows_when(client, window):
    participation = enrolled(programme(window=window, target_value=2))
    html = unenrol_page(client, participation)

    preview = client.post(UNENROL, {"seen": seen(html), "effective": "endOfCycle"}).content.decode()
    done = confirm(client, preview, effective="endOfCycle")

    assert "When his running cycle ends" in preview
    assert (done.status_code, receipts_of_admin().count()) == (302, 1)
    assert "Enrolled, leaves when his cycle ends" in client.get(LIST).content.decode()
    cancelling = client.get(f"{LIST}{participation.pk}/cancel-leave/")
    assert "at the end of c1. Cancelled" in cancelling.content.decode()
    assert (
        cancel_leave(customer=participation.customer, target=participation.target, at=NOW, **ACT).kind
        == "LEAVE_CANCELLED"
    )


def test_list_says_left_when_his_cycle_has_been_achieved(client):
    participation = enrolled(programme(window=AGNOSTIC, target_value=1))
    unenroll(
        customer=participation.customer,
        target=participation.target,
        at=START,
        effective=Effective.END_OF_CYCLE,
        **ACT,
    )
    buy(participation.target, participation.customer)

    assert "Left 1 Jan 2026" in client.get(LIST).content.decode()
    assert Participation.objects.get().stays.get().leaves_at == START


@pytest.mark.parametrize("window", [CYCLIC, AGNOSTIC])
def test_programme_and_its_receipts_can_be_looked_at(client, window):
    participation = enrolled(programme(window=window))
    group = participation.target.target_group_id
    receipt = participation.receipts.get().pk
    pages = [
        f"/admin/targets/targetgroup/{group}/change/",
        f"/admin/targets/targetgroup/{group}/edit/",
        f"/admin/enrollments/receipt/{receipt}/change/",
        f"/admin/targets/cycle/?group={group}",
    ]

    assert [client.get(each).status_code for each in pages] == [200] * 4
