"""Who may unenrol in the admin, through which requests, and that nothing typed by others is taken for HTML."""

import pytest
from django.test import Client

from tests.enrollments.admin_scene import (
    LIST,
    SUPPORT,
    UNENROL,
    confirm,
    enrolled,
    programme,
    receipts_of_admin,
    signed_in,
    staff,
    unenrol_page,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def support():
    return signed_in(staff(*SUPPORT, username="sam"))


@pytest.mark.parametrize(
    ("permissions", "get", "post"),
    [
        (None, 302, 302),
        ((), 403, 403),
        (("enrollments.view_participation",), 403, 403),
        (("enrollments.unenroll",), 403, 403),
        (("enrollments.view_participation", "enrollments.unenroll"), 200, 302),
    ],
)
def test_who_may_unenrol(support, permissions, get, post):
    participation = enrolled(programme())
    html = unenrol_page(support, participation)
    client = Client() if permissions is None else signed_in(staff(*permissions))

    shown, confirmed = client.get(UNENROL, {"id": participation.pk}), confirm(client, html)

    assert (shown.status_code, confirmed.status_code) == (get, post)
    assert receipts_of_admin().count() == (get == 200)
    if permissions is None:
        assert shown["Location"].startswith("/admin/login/")


def test_user_who_is_no_staff_is_sent_to_log_in_whatever_he_may_do(support):
    user = staff(*SUPPORT)
    user.is_staff = False
    user.save()

    response = signed_in(user).get(UNENROL, {"id": enrolled(programme()).pk})

    assert (response.status_code, response["Location"].startswith("/admin/login/")) == (302, True)


def test_viewer_sees_neither_button_nor_action(support):
    participation = enrolled(programme())
    viewer = signed_in(staff("enrollments.view_participation"))
    address = f"{LIST}{participation.pk}/change/"

    button = [UNENROL in client.get(address).content.decode() for client in (viewer, support)]
    action = ["unenroll_selected" in client.get(LIST).content.decode() for client in (viewer, support)]
    response = viewer.post(LIST, {"action": "unenroll_selected", "_selected_action": [participation.pk]})

    assert (button, action) == ([False, True], [False, True])
    assert UNENROL not in response.content.decode()


def test_without_the_right_to_see_receipts_it_ends_at_the_enrolment():
    client = signed_in(staff("enrollments.view_participation", "enrollments.unenroll"))
    participation = enrolled(programme())

    response = confirm(client, unenrol_page(client, participation))

    assert response["Location"] == f"{LIST}{participation.pk}/change/"


def test_confirmation_needs_the_csrf_token(support):
    participation = enrolled(programme())
    html = unenrol_page(support, participation)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff(*SUPPORT))

    response = confirm(strict, html)

    assert (response.status_code, receipts_of_admin().count()) == (403, 0)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(support, method):
    assert getattr(support, method)(UNENROL).status_code == 405


def test_names_and_reasons_are_escaped_wherever_they_are_shown(support):
    evil = "<script>alert(1)</script>"
    target = programme(name=evil)
    first, second = enrolled(target, first_name=evil), enrolled(target, last_name=evil)

    pages = [unenrol_page(support, first), unenrol_page(support, first, second)]
    pages.append(confirm(support, pages[1], reason=evil).content.decode())
    pages.append(support.get(f"/admin/enrollments/receipt/{receipts_of_admin()[0].pk}/change/").content.decode())
    pages += [support.get(f"{LIST}{first.pk}/change/").content.decode(), support.get(LIST).content.decode()]
    pages.append(confirm(support, pages[0], reason=evil).content.decode())

    assert receipts_of_admin()[0].reason == evil
    assert [evil in each for each in pages] == [False] * 7
    assert ["&lt;script&gt;alert(1)&lt;/script&gt;" in each for each in pages] == [True] * 7
