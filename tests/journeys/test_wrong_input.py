"""Whatever is sent, the answer is the documented code inside the envelope, and nothing has changed (api.md 1 and 4)."""

import json

import pytest

from tests.conftest import new_site
from tests.factories import BrandFactory, CustomerFactory, make_programme
from tests.faults import everything
from tests.journeys.programme import CUSTOMER, Programme

HUGE = 10**40
NOT_IDS = ["x", 1.5, True, None, [], {}, "", "1.0", "1e3", "٣", " 1"]
NOBODY = [0, -1, 2**63, HUGE, "99999999999999999999", 5]

OK_EVENT = {"eventId": "e", "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": "2026-01-02T00:00:00Z"}


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def site(module_db):
    return new_site()


@pytest.fixture(scope="module")
def abc(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    return abc


def rows():
    """How many rows of each table there are, and the stays, progress and participations as they are."""
    tables = {name: rows for name, rows in everything().items() if not name.startswith(("auth_", "otp_"))}
    whole = ("enrollments_stay", "enrollments_progress", "enrollments_participation")
    return {name: len(rows) for name, rows in tables.items()}, [tables[name] for name in whole]


def refused(site, method, path, body, *, content_type="application/json"):
    """The refusal: (status, code). Checks the envelope, and that nothing changed."""
    before = rows()
    content = body if isinstance(body, bytes) else json.dumps(body)
    response = site.client.generic(method, path, content, content_type)
    assert response["Content-Type"] == "application/json", response.content[:200]
    assert response["X-Cap-Requestid"]
    envelope = json.loads(response.content)
    assert set(envelope) == {"data", "errors", "warnings"}
    assert (envelope["data"], envelope["warnings"]) == (None, None)
    assert all(error["message"] for error in envelope["errors"])
    assert rows() == before
    return response.status_code, envelope["errors"][0]["code"]


@pytest.mark.parametrize("call", ["unEnroll", "enroll", "unEnroll/preview", "unEnroll/cancel"])
@pytest.mark.parametrize(
    "body",
    [
        [],
        [{}, {}],
        [{"customerId": 1}, {"customerId": 2}],
        {},
        [[]],
        [None],
        None,
        "x",
        7,
        *([{"customerId": each}] for each in NOT_IDS),
    ],
    ids=repr,
)
def test_record_that_is_none_is_invalid(site, abc, call, body):
    assert refused(site, "POST", f"{abc.path}/{call}", body) == (400, 300004)


@pytest.mark.parametrize("call", ["unEnroll", "enroll", "unEnroll/preview"])
@pytest.mark.parametrize("customer_id", NOBODY)
def test_integer_that_is_nobodys_id_is_an_invalid_user(site, abc, call, customer_id):
    assert refused(site, "POST", f"{abc.path}/{call}", [{"customerId": customer_id}]) == (404, 310011)


@pytest.mark.parametrize(
    ("group", "target", "expected"),
    [
        ("x", "1", (400, 300004)),
        ("1.5", "1", (400, 300004)),
        ("{group}", "x", (400, 300004)),
        ("0", "1", (404, 310017)),
        (str(HUGE), "1", (404, 310017)),
        ("{group}", "0", (404, 310018)),
        ("{group}", str(2**63), (404, 310018)),
        ("{group}", "{other_target}", (404, 310018)),
        ("{foreign_group}", "{foreign_target}", (404, 310017)),
    ],
)
@pytest.mark.parametrize("call", ["unEnroll", "enroll", "unEnroll/preview"])
def test_path_that_names_no_target_of_the_brand(site, abc, call, group, target, expected):
    other = make_programme(brand=site.brand)
    foreign = make_programme(brand=BrandFactory())
    CustomerFactory(brand=foreign.brand, customer_id=CUSTOMER)
    path = f"/targetGroups/{group}/targets/{target}/{call}".format(
        group=abc.group["id"],
        other_target=other.pk,
        foreign_group=foreign.target_group_id,
        foreign_target=foreign.pk,
    )

    assert refused(site, "POST", path, [{"customerId": CUSTOMER}]) == expected


def test_foreign_customer_looks_like_an_unknown_one(site, abc):
    foreign = CustomerFactory(brand=BrandFactory(), customer_id=77)
    path = f"{abc.path}/unEnroll"

    messages = [
        site.post(path, [{"customerId": number}])[1]["errors"][0]["message"].replace(str(number), "N")
        for number in (foreign.customer_id, 78)
    ]

    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"effective": "yesterday"}, (400, 300004)),
        ({"reason": "x" * 501}, (400, 300004)),
        ({"reason": 5}, (400, 300004)),
        ({"reason": "a\u0000b"}, (400, 300004)),
        ({"reason": "\u001b[31m"}, (400, 300004)),
    ],
)
def test_unenroll_refuses_what_would_matter_and_is_wrong(site, abc, record, expected):
    assert refused(site, "POST", f"{abc.path}/unEnroll", [{"customerId": CUSTOMER} | record]) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"periodName": "c9"}, (404, 310019)),
        ({"periodName": 3}, (400, 300004)),
        ({"periodName": "x" * 101}, (400, 300004)),
        ({"initialBalance": -1}, (400, 300004)),
        ({"initialBalance": 10**15}, (400, 300004)),
        ({"initialBalance": "many"}, (400, 300004)),
        ({"initialBalance": 1.2345}, (400, 300004)),
        ({"initialBalance": True}, (400, 300004)),
        ({"initialBalance": []}, (400, 300004)),
        ({"initialBalance": 2, "periodName": "c3"}, (400, 300004)),
        ({"resetStreakStatus": "perhaps"}, (400, 300004)),
        ({"resetStreakStatus": {}}, (400, 300004)),
    ],
)
def test_enroll_refuses_what_would_matter_and_is_wrong(site, abc, record, expected):
    abc.unenroll()

    assert refused(site, "POST", f"{abc.path}/enroll", [{"customerId": CUSTOMER} | record]) == expected


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"eventId": None}, "eventId"),
        ({"eventId": ""}, "eventId"),
        ({"eventId": "x" * 201}, "eventId"),
        ({"eventName": 5}, "eventName"),
        ({"customerId": "x"}, "customerId"),
        ({"occurredAt": "2026-01-02T00:00:00"}, "occurredAt"),
        ({"occurredAt": "yesterday"}, "occurredAt"),
        ({"occurredAt": 1767312000}, "occurredAt"),
        ({"occurredAt": "0001-01-01T00:00:00+14:00"}, "occurredAt"),
        ({"amount": "much"}, "amount"),
        ({"amount": HUGE}, "amount"),
        ({"amount": 1.0001}, "amount"),
        ({"quantity": []}, "quantity"),
        ({"attributes": []}, "attributes"),
        ({"attributes": "x"}, "attributes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_activity_that_is_wrong_names_its_field(site, abc, event, field):
    wrong = OK_EVENT | event

    assert refused(site, "POST", "/v3/activities", wrong) == (400, 300004)
    assert site.post("/v3/activities", wrong)[1]["errors"][0]["field"] == field
    assert site.post("/v3/activities", [OK_EVENT, wrong])[1]["errors"][0]["field"] == f"[1].{field}"


@pytest.mark.parametrize(
    "body", [[], [OK_EVENT] * 1001, [1], "x", None], ids=["none", "1001", "no object", "text", "null"]
)
def test_batch_of_activities_that_is_none(site, abc, body):
    assert refused(site, "POST", "/v3/activities", body) == (400, 300004)


CALLS = [
    ("POST", "{path}/unEnroll"),
    ("POST", "/v3{path}/unEnroll"),
    ("POST", "{path}/enroll"),
    ("POST", "/v3{path}/unEnroll/preview"),
    ("POST", "/v3/activities"),
    ("POST", "/v3/targetGroups"),
    ("PUT", "/v3/customers/5"),
    ("PUT", "/v3/clock"),
]
BROKEN = {
    "not JSON": (b"{", "application/json", (400, 300004)),
    "empty": (b"", "application/json", (400, 300004)),
    "NaN": (b'[{"customerId": NaN}]', "application/json", (400, 300004)),
    "a key twice": (b'[{"customerId": 1, "customerId": 2}]', "application/json", (400, 300004)),
    "not UTF-8": (b'["\xff"]', "application/json", (400, 300004)),
    "nested absurdly": (b"[" * 100_000 + b"]" * 100_000, "application/json", (400, 300004)),
    "half a surrogate pair": (b'{"customerId": "\\ud800"}', "application/json", (400, 300004)),
    "too large": (b'["' + b"x" * 1024 * 1024 + b'"]', "application/json", (413, 4130)),
    "a form": (b"customerId=1", "application/x-www-form-urlencoded", (415, 4150)),
    "text": (b"[]", "text/plain", (415, 4150)),
    "no content type": (b"[]", "", (415, 4150)),
}


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("body", BROKEN)
def test_body_that_is_broken(site, abc, method, path, body):
    content, content_type, expected = BROKEN[body]

    assert refused(site, method, path.format(path=abc.path), content, content_type=content_type) == expected


@pytest.mark.parametrize(("allowed", "path"), CALLS)
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_method_that_is_not_there(site, abc, allowed, path, method):
    assert refused(site, method, path.format(path=abc.path), b"") == (405, 4050)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v3/receipts?limit=0", (400, 300004)),
        ("/v3/receipts?limit=1001", (400, 300004)),
        ("/v3/receipts?limit=x", (400, 300004)),
        ("/v3/receipts?after=x", (400, 300004)),
        ("/v3/receipts?after=%00", (400, 300004)),
        ("/v3/receipts?colour=red", (400, 300004)),
        ("/v3/rewardGrants?after=!!!!", (400, 300004)),
        ("/v3/receipts/x", (400, 300004)),
        ("/v3/receipts/0", (404, 4040)),
        (f"/v3/receipts/{HUGE}", (404, 4040)),
        ("/v3/customers/x", (400, 300004)),
        (f"/v3/customers/{HUGE}", (404, 310011)),
        ("/v3/users/x/targetGroups", (400, 300004)),
        ("/v3/users/5/targetGroups", (404, 310011)),
        (f"/v3/users/{CUSTOMER}/targetGroups?includeInactive=perhaps", (400, 300004)),
        (f"/v3/users/{CUSTOMER}/targetGroups?targetRuleId=x", (400, 300004)),
        ("/v3/targetGroups/x", (400, 300004)),
        ("/v3/targetGroups/0", (404, 310017)),
        ("/v3{path}/enrollments/x", (400, 300004)),
        ("/v3{path}/enrollments/5", (404, 310011)),
        ("/v3/nothing", (404, 4040)),
        ("/v3/%00", (404, 4040)),
    ],
)
def test_reading_what_is_not_there_or_not_understood(site, abc, path, expected):
    assert refused(site, "GET", path.format(path=abc.path), b"") == expected


def test_customer_is_not_wiped_out_by_an_empty_body(site, abc):
    site.put("/v3/customers/5", {"lastName": "Noor"})

    assert refused(site, "PUT", "/v3/customers/5", b"") == (400, 300004)
    assert site.get("/v3/customers/5")[1]["data"]["lastName"] == "Noor"


def test_neutral_values_of_published_calls_change_nothing(site, abc):
    left = abc.unenroll(reason=None, effective=None, anything="else")
    enrolled = abc.enroll(periodName="", initialBalance=None, resetStreakStatus=None)

    assert left == enrolled == (200, {"data": CUSTOMER, "errors": None, "warnings": None})


def test_key_that_comes_twice_among_very_many_is_found_at_once(site, abc):
    # Within the time-out of a test: a search that compared each with each took minutes.
    keys = ",".join(f'"k{number}":1' for number in range(90_000))

    assert refused(site, "POST", "/v3/activities", f'{{{keys},"k89999":1}}'.encode()) == (400, 300004)


@pytest.mark.parametrize(
    ("call", "field"),
    [("unEnroll", None), ("enroll", None), ("unEnroll/preview", "customerId"), ("unEnroll/cancel", "customerId")],
)
def test_field_at_fault_stands_beside_the_message_in_our_calls_and_inside_it_in_published_ones(site, abc, call, field):
    error = site.post(f"{abc.path}/{call}", [{"customerId": "x"}])[1]["errors"][0]

    assert error.get("field") == field
    assert ("customerId" in error["message"]) == (field is None)


def test_cancel_refuses_a_field_it_does_not_know(site, abc):
    assert refused(site, "POST", f"{abc.path}/unEnroll/cancel", [{"customerId": CUSTOMER, "bogus": 1}]) == (400, 300004)
