"""The list of refused calls in the admin: found by brand, code and day, and explained."""

from datetime import UTC, date, datetime

import pytest

from targets.models import RefusedCalls
from targets.operations import Count, Refused, count_refused_calls
from tests.enrollments.admin_scene import signed_in, staff
from tests.factories import BrandFactory

LIST = "/admin/targets/refusedcalls/"
AT = datetime(2026, 3, 9, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def refused(brand, day, code, operation="POST /v3/activities"):
    count_refused_calls({Refused(brand.pk, date(2026, 3, day), operation, code): Count(7, AT, "till", "r-7")})
    return RefusedCalls.objects.latest("pk")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [2, 1, 0]),
        ({"code": "310011"}, [1, 0]),
        ({"day": "2026-03-09"}, [2, 0]),
        ({"code": "310011", "day": "2026-03-09"}, [0]),
        *(({"code": wrong}, []) for wrong in ("x", "9" * 30, "-1", "²", "4000")),
        *(({"day": wrong}, []) for wrong in ("x", "2026-02-30", "9999-99-99")),
    ],
)
def test_list_is_narrowed_by_code_and_day(query, found):
    brand = BrandFactory()
    rows = [refused(brand, 9, 310011), refused(brand, 10, 310011), refused(brand, 9, 300004)]
    refused(BrandFactory(), 9, 310011)

    listed = signed_in(staff("targets.view_refusedcalls", brands=[brand])).get(LIST, query)

    assert list(listed.context["cl"].result_list) == [rows[each] for each in found]


def test_row_is_explained_as_the_documentation_does():
    row = refused(BrandFactory(), 9, 310011)

    html = signed_in(staff("targets.view_refusedcalls")).get(f"{LIST}{row.pk}/change/").content.decode()

    for text in (
        "POST /v3/activities",
        "Invalid user id: this brand has no such customer.",
        "The customer was never registered in the brand of the API user",
        "Register him with PUT /v3/customers/{customerId}, and send the call again.",
        "r-7",
        "till",
    ):
        assert text in html
    assert 'name="calls"' not in html


def test_code_that_no_longer_is_has_no_explanation():
    row = refused(BrandFactory(), 9, 999)

    page = signed_in(staff("targets.view_refusedcalls")).get(f"{LIST}{row.pk}/change/")

    assert page.status_code == 200
