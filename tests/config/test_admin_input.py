"""What no page of the admin can mean, sent by hand: bad input, and not our fault."""

import pytest

from tests.enrollments.admin_scene import (
    LIST,
    SUPPORT,
    UNENROL,
    enrolled,
    programme,
    receipts_of_admin,
    signed_in,
    staff,
)

pytestmark = pytest.mark.django_db

NUL = "\x00"


@pytest.mark.parametrize("made_up", [NUL, "x", "1.5", "-1", "9" * 40])
@pytest.mark.parametrize("page", [LIST, "/admin/auth/user/"])
def test_selected_row_that_no_row_can_be_is_answered_with_a_message(page, made_up):
    participation = enrolled(programme())
    client = signed_in(staff(is_superuser=True))
    action = "unenroll_selected" if page == LIST else "delete_selected"

    response = client.post(page, {"action": action, "_selected_action": [made_up, participation.pk]}, follow=True)

    assert response.redirect_chain == [(page, 302)]
    assert [str(each) for each in response.context["messages"]] == ["Nothing was done: there is no such row."]
    assert not receipts_of_admin().exists()


@pytest.mark.parametrize("wrong", [{"reason": NUL}, {"seen": NUL}, {"seen": "{pk}:" + NUL}, {"effective": NUL}])
def test_nul_in_what_staff_send_changes_nothing_and_is_no_failure(wrong):
    participation = enrolled(programme())
    client = signed_in(staff(*SUPPORT))
    sent = {"seen": f"{participation.pk}:", "effective": "now", "reason": "Moved", "confirm": "Unenrol"}

    response = client.post(UNENROL, sent | {name: text.format(pk=participation.pk) for name, text in wrong.items()})

    assert response.status_code in (200, 302)
    assert not receipts_of_admin().exists()
