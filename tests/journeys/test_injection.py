"""Whatever looks like SQL is a text: kept as sent, and found as such or not at all."""

import pytest

from enrollments.models import Activity
from targets.models import Customer
from tests.contract.conftest import CUSTOMER, milestone, new_scene
from tests.factories import UserFactory
from tests.faults import everything

SQL = "x'\"); DELETE FROM targets_customer; -- %s %(a)s {0}"
TARGET = "/v3/targetGroups/{targetGroupId}/targets/{targetId}"

# Lists of the admin and the parameters in which somebody types what he looks for.
SEARCHES = [
    ("targets/customer", "q"),
    ("targets/targetgroup", "q"),
    ("targets/auditentry", "q"),
    ("targets/auditentry", "who"),
    ("targets/auditentry", "day"),
    ("targets/auditentry", "request"),
    ("enrollments/participation", "q"),
    ("enrollments/receipt", "q"),
    ("enrollments/activity", "q"),
    ("rewards/grant", "q"),
]


@pytest.fixture
def scene(site):
    return new_scene(site)


def test_sql_in_every_text_is_kept_as_text(scene):
    site = scene.site
    person = {"externalId": SQL, "firstName": SQL, "lastName": SQL, "email": "", "mobile": SQL[:32]}
    activity = {"eventId": SQL, "eventName": SQL, "customerId": CUSTOMER, "occurredAt": "2026-01-01T12:00:00Z"}

    customer = site.put(f"/v3/customers/{CUSTOMER}", person)
    programme = site.post("/v3/targetGroups", milestone(SQL))
    recorded = site.post("/v3/activities", activity | {"attributes": {SQL: SQL}})
    left = site.post(scene.path(f"{TARGET}/unEnroll"), {"customerId": CUSTOMER, "reason": SQL})
    standing = site.get(scene.path(f"{TARGET}/enrollments/{{customerId}}"))

    assert (customer[0], customer[1]["data"]) == (200, person | {"customerId": CUSTOMER})
    assert (programme[0], programme[1]["data"]["name"], programme[1]["data"]["targets"][0]["name"]) == (201, SQL, SQL)
    assert (recorded[0], recorded[1]["data"]["eventId"]) == (200, SQL)
    assert Activity.objects.values_list("event_id", "event_name", "attributes").latest("pk") == (SQL, SQL, {SQL: SQL})
    assert (left[0], standing[1]["data"]["stays"][0]["reason"]) == (200, SQL)


def test_sql_where_a_number_or_an_instant_belongs_is_refused(scene):
    before = everything()

    answers = [
        scene.site.get("/v3/customers/1 OR 1=1")[0],
        scene.site.get("/v3/receipts?after=1;DELETE FROM targets_customer")[0],
        scene.site.get("/v3/receipts?limit=1 OR 1=1")[0],
        scene.site.get(f"/v3/users/{CUSTOMER}/targetGroups?targetRuleId=1 OR 1=1")[0],
        scene.site.post(scene.path(f"{TARGET}/unEnroll"), {"customerId": "1 OR 1=1"})[0],
    ]

    assert answers == [400] * 5
    assert everything() == before


@pytest.mark.parametrize(("page", "parameter"), SEARCHES)
def test_sql_in_a_search_of_the_admin_finds_nothing_and_changes_nothing(scene, client, page, parameter):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    before = everything()

    answers = [client.get(f"/admin/{page}/", {parameter: text}) for text in (SQL, "' OR '1'='1", "1 OR 1=1")]

    assert [each.status_code for each in answers] == [200] * 3
    assert [list(each.context["cl"].result_list) for each in answers] == [[]] * 3
    assert Customer.objects.count() == 1
    assert everything() == before
