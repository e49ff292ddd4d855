"""A call with an Idempotency-Key is carried out once, whatever it changes (api.md 1)."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from config.schema import PATH_IDS
from enrollments.models import Participation, Receipt, Stay
from targets.models import Customer, StoredAnswer
from tests.factories import SECRET, ApiUserFactory, CustomerFactory, make_programme
from tests.faults import everything, fails, fault_at_write, is_killed
from tests.idempotency import KEY, changing_calls, tell
from tests.journeys.programme import CUSTOMER, Programme
from tests.rewards.test_api_target_groups import MILESTONE

TARGET = "targetGroups/<str:group_id>/targets/<str:target_id>"
NOBODY = 5


def activity(event_id, customer_id=CUSTOMER):
    return {
        "eventId": event_id,
        "eventName": "purchase",
        "customerId": customer_id,
        "occurredAt": "2026-01-06T12:00:00Z",
    }


# What each call is sent. A new call of the API has to be added, or to be named among those that change nothing.
BODIES = {
    ("POST", "targetGroups"): MILESTONE | {"name": "DEF"},
    ("POST", f"{TARGET}/unEnroll"): [{"customerId": CUSTOMER, "reason": "asked by phone"}],
    ("POST", f"{TARGET}/unEnroll/cancel"): [{"customerId": CUSTOMER}],
    ("POST", f"{TARGET}/enroll"): [{"customerId": CUSTOMER}],
    ("POST", f"{TARGET}/enroll/bulk"): {"records": [{"customerId": CUSTOMER}, {"customerId": NOBODY}]},
    ("POST", f"{TARGET}/unEnroll/bulk"): {"customerIds": [CUSTOMER, NOBODY]},
    ("POST", "receipts/<str:receipt_id>/undo"): {"reason": "by mistake"},
    ("POST", "batches/<str:batch_id>/undo"): {"reason": "the wrong list"},
    ("POST", "activities"): [activity("e1"), activity("e2"), activity("e3", NOBODY)],
    ("PUT", "clock"): {"now": "2026-01-25T00:00:00Z"},
    ("PUT", "customers/<str:customer_id>"): {"firstName": "Ada"},
    ("POST", "customers/bulk"): {"customers": [{"customerId": CUSTOMER, "lastName": "Noor"}, {"customerId": 77}]},
}
# A token is a new one each time.
CHANGING_NOTHING = {("POST", f"{TARGET}/unEnroll/preview"), ("POST", "oauth/token"), ("POST", "oauth/token/generate")}

faults = pytest.mark.parametrize(("fault", "status"), [(fails, 500), (is_killed, 503)])
calls = pytest.mark.parametrize("call", BODIES, ids=lambda call: " ".join(call))


@pytest.fixture
def abc(site):
    """Brought to where each call changes something: `prepare` it first."""
    return begun(site)


@pytest.fixture
def committed_abc(committed_site):
    return begun(committed_site)


def begun(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    return abc


def prepare(abc, call):
    if call[1] in (f"{TARGET}/unEnroll", f"{TARGET}/unEnroll/bulk", f"{TARGET}/unEnroll/cancel", "activities"):
        abc.enroll()
    if call[1] == f"{TARGET}/unEnroll/cancel":
        abc.unenroll(effective="endOfCycle")
    if call[1].endswith("/undo"):
        abc.enroll()
        abc.site.post(f"/v3{abc.path}/unEnroll/bulk", {"customerIds": [CUSTOMER]})
        abc.buy()  # which is then counted


def path_of(abc, call):
    path = "/v3/" + call[1].replace(TARGET, abc.path[1:]).replace("<str:customer_id>", str(CUSTOMER))
    if call[1].endswith("/undo"):
        left = Receipt.objects.get(kind="UNENROLLED")
        path = path.replace("<str:receipt_id>", str(left.pk)).replace("<str:batch_id>", str(left.batch_id))
    return path


def told(abc, call, **details):
    return tell(abc.site.client, call[0], path_of(abc, call), BODIES[call], **details)


def test_every_changing_call_of_the_url_configuration_takes_a_key():
    found = changing_calls()

    assert {call for call, takes_key in found.items() if takes_key} == set(BODIES)
    assert {call for call, takes_key in found.items() if not takes_key} == CHANGING_NOTHING


ROUTE_NAMES = {public: name for name, (public, *_) in PATH_IDS.items()}


def test_openapi_document_offers_the_key_for_just_these_calls(client):
    offered, refused = set(), set()
    for path, operations in client.get("/v3/schema").json()["paths"].items():
        route = re.sub(r"{(\w+)}", lambda found: f"<str:{ROUTE_NAMES[found[1]]}>", path.removeprefix("/v3/"))
        for method, operation in operations.items():
            if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", [])):
                offered.add((method.upper(), route))
            if "422" in operation["responses"]:
                refused.add((method.upper(), route))

    assert (offered, refused) == (set(BODIES), set(BODIES))


@calls
def test_repeat_is_answered_byte_for_byte_and_changes_nothing(abc, call):
    prepare(abc, call)
    before = everything()

    first = told(abc, call)
    after = everything()
    again = told(abc, call)

    assert first.status in (200, 201)
    assert (first.is_repeated, again) == (False, first._replace(is_repeated=True))
    assert (after != before, everything()) == (True, after)


@calls
def test_answer_under_a_key_is_the_one_without(abc, call):
    """Ids differ where something new is made, so it is a call that was refused, or changed what was there."""
    prepare(abc, call)
    told(abc, call, key=None)

    without = told(abc, call, key=None)
    under_key = told(abc, call)

    if not call[1].endswith("/bulk") and call[1] not in ("targetGroups", "batches/<str:batch_id>/undo"):
        assert under_key == without
    assert (under_key.status, under_key.code) == (without.status, without.code)


@calls
def test_same_body_under_the_same_key_with_another_query_is_another_request(abc, call):
    prepare(abc, call)
    told(abc, call)
    before = everything()

    other = tell(abc.site.client, call[0], path_of(abc, call) + "?a=1", BODIES[call])

    assert (other.status, other.code) == (422, 300009)
    assert everything() == before


@calls
@faults
def test_nothing_is_half_written_whichever_write_fails(committed_abc, call, fault, status):
    """The first write is the key's, the last one that of the answer; then the repeat does it."""
    abc = committed_abc
    prepare(abc, call)
    before = everything()
    failures = 0
    while True:
        with fault_at_write(failures + 1, fault):
            first = told(abc, call)
        if first.status < 400:
            break
        assert first.status == status
        assert everything() == before
        failures += 1

    again = told(abc, call)

    assert failures >= 3
    assert again == first._replace(is_repeated=True)


def test_same_body_under_the_same_key_for_another_target_is_refused(site, abc):
    other = make_programme(brand=site.brand)
    body = [{"customerId": CUSTOMER}]
    tell(site.client, "POST", f"{abc.path}/enroll", body)
    before = everything()

    elsewhere = tell(site.client, "POST", f"/targetGroups/{other.target_group_id}/targets/{other.pk}/enroll", body)

    assert (elsewhere.status, elsewhere.code) == (422, 300009)
    assert everything() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v3/targetGroups/{}/enroll", b'[{"customerId": 423789336 }]'),
        ("PUT", "/v3/customers/423789336", b'[{"customerId": 423789336}]'),
    ],
    ids=["another body", "another method and path"],
)
def test_any_other_request_under_the_same_key_is_refused(site, abc, method, path, body):
    tell(site.client, "POST", f"{abc.path}/enroll", b'[{"customerId": 423789336}]')
    before = everything()

    other = tell(site.client, method, path.replace("/targetGroups/{}", abc.path), body)

    assert (other.status, other.code) == (422, 300009)
    assert everything() == before


def test_published_call_is_the_same_with_and_without_its_prefix(site, abc):
    body = [{"customerId": CUSTOMER}]

    first = tell(site.client, "POST", f"{abc.path}/enroll", body)
    again = tell(site.client, "POST", f"/v3{abc.path}/enroll", body)

    assert again == first._replace(is_repeated=True)


@pytest.mark.parametrize(
    ("customer", "code"),
    [(CUSTOMER, 310126), (NOBODY, 310011)],
    ids=["not enrolled", "unknown"],
)
def test_refusal_that_the_operation_decided_is_repeated_whatever_happened_since(site, abc, customer, code):
    body = [{"customerId": customer}]
    first = tell(site.client, "POST", f"{abc.path}/unEnroll", body)
    tell(site.client, "PUT", f"/v3/customers/{customer}", {}, key=None)
    tell(site.client, "POST", f"{abc.path}/enroll", body, key=None)
    before = everything()

    again = tell(site.client, "POST", f"{abc.path}/unEnroll", body)

    assert (first.code, again) == (code, first._replace(is_repeated=True))
    assert everything() == before


def test_success_is_repeated_though_it_would_be_refused_by_now(site, abc):
    abc.enroll()
    body = [{"customerId": CUSTOMER}]
    first = tell(site.client, "POST", f"{abc.path}/unEnroll", body)

    again = tell(site.client, "POST", f"{abc.path}/unEnroll", body)
    under_a_new_key = tell(site.client, "POST", f"{abc.path}/unEnroll", body, key="another")

    assert (first.status, again) == (200, first._replace(is_repeated=True))
    assert under_a_new_key.code == 310126


def test_clock_stays_where_it_is_when_an_earlier_setting_is_repeated(site, abc):
    body = {"now": "2026-01-20T00:00:00Z"}
    first = tell(site.client, "PUT", "/v3/clock", body)
    site.set_clock("2026-02-01T00:00:00Z")

    again = tell(site.client, "PUT", "/v3/clock", body)

    assert again == first._replace(is_repeated=True)
    assert site.get("/v3/clock")[1]["data"]["now"] == "2026-02-01T00:00:00+00:00"


def test_request_id_is_that_of_the_repeat(site, abc):
    sent = {"data": '[{"customerId": 423789336}]', "content_type": "application/json"}
    headers = {"Idempotency-Key": KEY}

    first = site.client.generic("POST", f"{abc.path}/enroll", headers=headers | {"X-Request-ID": "first"}, **sent)
    again = site.client.generic("POST", f"{abc.path}/enroll", headers=headers | {"X-Request-ID": "again"}, **sent)

    assert (first["X-Cap-Requestid"], again["X-Cap-Requestid"]) == ("first", "again")
    assert Receipt.objects.get().request_id == "first"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("{}/enroll", [{}], 400),
        ("{}/enroll", b"[{", 400),
        ("{}/enroll", b" " * (1024 * 1024 + 1), 413),
        ("/v3/targetGroups", MILESTONE | {"trackingType": "CAPPING"}, 400),
    ],
    ids=["a field is missing", "malformed", "too large", "impossible"],
)
def test_call_that_could_not_be_tried_leaves_the_key_unused(site, abc, path, body, status):
    before = everything()
    refused = tell(site.client, "POST", path.format(abc.path), body)
    assert (refused.status, everything()) == (status, before)

    done = tell(site.client, "POST", f"{abc.path}/enroll", [{"customerId": CUSTOMER}])

    assert (done.status, done.is_repeated) == (200, False)


def test_wrong_content_type_credentials_and_permission_leave_the_key_unused(site, abc, client_of):
    path, headers = f"{abc.path}/enroll", {"Idempotency-Key": KEY}
    powerless = client_of(ApiUserFactory(brand=site.brand, with_default_access=False).user.username, SECRET)
    before = everything()

    statuses = [
        site.client.generic("POST", path, "a=1", "text/plain", headers=headers).status_code,
        tell(client_of("nobody", "guess"), "POST", path, [{"customerId": CUSTOMER}]).status,
        tell(powerless, "POST", path, [{"customerId": CUSTOMER}]).status,
    ]

    assert statuses == [415, 401, 403]
    assert everything() == before


def test_call_that_was_overtaken_twice_leaves_the_key_unused(site, abc):
    """503: somebody has changed the enrolment at an instant to which the clock has not come yet."""
    abc.enroll()
    Participation.objects.update(changed_at=F("changed_at") + timedelta(days=1))
    body, before = [{"customerId": CUSTOMER}], everything()

    overtaken = tell(site.client, "POST", f"{abc.path}/unEnroll", body)
    assert (overtaken.status, everything()) == (503, before)
    Participation.objects.update(changed_at=F("changed_at") - timedelta(days=1))
    done = tell(site.client, "POST", f"{abc.path}/unEnroll", body)

    assert (done.status, done.is_repeated) == (200, False)


def test_who_may_no_longer_do_it_is_not_told_either(site, abc):
    body = [{"customerId": CUSTOMER}]
    tell(site.client, "POST", f"{abc.path}/enroll", body)
    site.brand.api_users.get().user.groups.clear()

    again = tell(site.client, "POST", f"{abc.path}/enroll", body)

    assert (again.status, again.code) == (403, 4000)


@pytest.mark.parametrize("key", ["", "x" * 201, "naïve", "tab\there"])
def test_key_that_is_none_is_refused_by_name(site, abc, key):
    before = everything()

    refused = tell(site.client, "PUT", f"/v3/customers/{CUSTOMER}", {"firstName": "Ada"}, key=key)

    assert (refused.status, refused.code) == (400, 300004)
    assert b'"field":"Idempotency-Key"' in refused.body
    assert everything() == before


def test_published_refusal_names_the_header_in_its_message(site, abc):
    refused = tell(site.client, "POST", f"{abc.path}/enroll", [{"customerId": CUSTOMER}], key="x" * 201)

    assert refused.body == (
        b'{"data":null,"errors":[{"code":300004,"message":"Idempotency-Key is 1 to 200 printable ASCII characters."}],'
        b'"warnings":null}'
    )


def test_longest_key_is_taken(site, abc):
    key = "~ " * 99 + "~~"

    first, again = (tell(site.client, "PUT", f"/v3/customers/{CUSTOMER}", {}, key=key) for _ in range(2))

    assert (len(key), again) == (200, first._replace(is_repeated=True))


def test_same_key_of_another_api_user_is_another_key(site, abc, client_of):
    """Also within one brand."""
    colleague = client_of(ApiUserFactory(brand=site.brand).user.username, SECRET)
    stranger = client_of(ApiUserFactory().user.username, SECRET)
    path, body = f"{abc.path}/enroll", [{"customerId": CUSTOMER}]

    told = [tell(client, "POST", path, body) for client in (site.client, colleague, stranger)]

    assert [(each.status, each.code, each.is_repeated) for each in told] == [
        (200, None, False),
        (409, 310119, False),
        (404, 310017, False),
    ]


def test_preview_changes_nothing_and_uses_no_key_up(site, abc):
    abc.enroll()
    body = [{"customerId": CUSTOMER}]
    tell(site.client, "POST", f"{abc.path}/unEnroll/preview", body)

    left = tell(site.client, "POST", f"{abc.path}/unEnroll", body)

    assert (left.status, left.is_repeated, StoredAnswer.objects.count()) == (200, False, 1)


def test_neither_key_nor_request_is_kept(site, abc):
    body = [{"customerId": CUSTOMER, "reason": "reason-marker"}]

    tell(site.client, "POST", f"{abc.path}/unEnroll", body, key="key-marker")

    stored = StoredAnswer.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM targets_storedanswer t")
        ((row,),) = cursor.fetchall()
    assert ("marker" in row, stored.customer_ids, stored.status) == (False, [CUSTOMER], 409)


@pytest.mark.parametrize("key", [KEY, None])
def test_batch_of_activities_is_recorded_as_a_whole_or_not_at_all(committed_abc, key):
    """Whichever of its writes fails: the key's row, the activities, all they mean, the answer."""
    committed_abc.enroll()
    client, body = committed_abc.site.client, [activity("e1"), activity("e2")]
    before = everything()

    failed = []
    for number in range(1, 5 if key else 3):
        with fault_at_write(number, fails):
            failed.append(tell(client, "POST", "/v3/activities", body, key=key).status)
        assert everything() == before
    done = tell(client, "POST", "/v3/activities", body, key=key)

    assert failed == [500] * len(failed)
    assert [each["counted"][0]["value"] for each in done.data] == [1, 2]


def test_activities_under_a_key_are_recorded_in_the_order_sent(site, abc):
    """Though locks are taken in another order: the same event of two customers is the first one's."""
    abc.enroll()
    CustomerFactory(brand=site.brand, customer_id=1)

    done = tell(site.client, "POST", "/v3/activities", [activity("e1"), activity("e1", 1)])

    assert [[each["reason"] for each in one["notCounted"]] for one in done.data] == [[], ["event_id_conflict"]]


def test_customers_whom_a_bulk_call_names_are_found(site, abc):
    records = [{"customerId": CUSTOMER}, {"customerId": str(NOBODY)}, {"customerId": 2**63}]

    tell(site.client, "POST", f"/v3{abc.path}/enroll/bulk", {"records": records})

    assert StoredAnswer.objects.get().customer_ids == [NOBODY, CUSTOMER]
    assert (Stay.objects.count(), Customer.objects.count()) == (1, 1)
