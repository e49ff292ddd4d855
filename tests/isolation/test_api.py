"""Every call x who asks. Generated from the URL configuration: a call without a row in `calls.ROWS` fails.

What is of another brand looks exactly like what nobody has: the same status, the same words, the same statements.
"""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.test import APIClient

from targets.models import Customer
from targets.queries import find_customer
from tests.conftest import SECRET
from tests.factories import ApiUserFactory, UserFactory
from tests.isolation.calls import (
    NOT_FOUND,
    PUBLIC,
    PUBLIC_BEFORE_URLS,
    ROWS,
    TOKENS,
    all_calls,
    all_paths,
    calls_of,
    names_sent,
)
from tests.isolation.scene import ask, make_sides, marks, unknown_ids, without_values

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")

CALLS = [call for call in all_calls() if call.key in ROWS]


def label(call):
    return f"{call.method.upper()} /{call.path}"


def foreign_cases():
    """Each id a call sends as another brand's, among one's own; and all of them."""
    for call in CALLS:
        names = names_sent(call)
        for some in [[name] for name in names] + ([names] if len(names) > 1 else []):
            yield pytest.param(call, some, id=f"{label(call)} {'+'.join(some)}")


def paths_and_other_methods():
    for path, pattern in all_paths():
        if path in PUBLIC | TOKENS:
            continue
        calls = calls_of(path, pattern)
        answered = {call.method for call in calls} | ({"head"} if "get" in [call.method for call in calls] else set())
        for method in METHODS:
            if method not in answered:
                yield pytest.param(calls[0], method, id=f"{method.upper()} /{path}")


each_call = pytest.mark.parametrize("call", [pytest.param(call, id=label(call)) for call in CALLS])


@pytest.fixture(scope="module")
def sides(module_db):
    """(ours, theirs), committed: a feed shows only what is."""
    return make_sides()


@pytest.fixture
def ours(sides):
    return sides[0]


@pytest.fixture
def theirs(sides):
    return sides[1]


@pytest.fixture
def owner(ours, client_of):
    return client_of(ours.username, SECRET)


@pytest.fixture
def stranger(theirs, client_of):
    """May do everything, in another brand."""
    return client_of(theirs.username, SECRET)


def lacking(call, brand, client_of):
    """Somebody of this brand who may do everything but this call."""
    app, _, codename = call.permission.partition(".")
    user = UserFactory()
    user.user_permissions.set(Permission.objects.exclude(content_type__app_label=app, codename=codename))
    ApiUserFactory(user=user, brand=brand, with_default_access=False)
    return client_of(user.username, SECRET)


def test_every_call_has_a_row_and_every_row_a_call():
    assert {call.key for call in all_calls()} == set(ROWS)


def test_every_public_path_is_there():
    assert {path for path, _ in all_paths()} >= PUBLIC | TOKENS


@pytest.mark.parametrize("path", [f"/{path}" for path in sorted(PUBLIC)] + PUBLIC_BEFORE_URLS)
def test_public_path_shows_nothing_of_any_brand(sides, path):
    response = Client().get(path, follow=True)

    text = b"".join(response).decode()
    assert response.status_code == 200
    assert [mark for side in sides for mark in marks(side) if mark in text] == []


@each_call
def test_anonymous_is_refused(call, ours):
    asked = [ask(APIClient(), call, ids) for ids in (ours.ids, unknown_ids(ours))]

    assert [(each.status, each.code) for each in asked] == [(401, 4010)] * 2
    assert asked[0] == asked[1]
    assert asked[0].changed_nothing


@each_call
@pytest.mark.parametrize("who", ["Aurora", "Nobody"])
def test_wrong_credentials_are_refused(call, who, ours, client_of):
    asked = [ask(client_of(who, "wrong"), call, ids) for ids in (ours.ids, unknown_ids(ours))]

    assert [(each.status, each.code) for each in asked] == [(401, 4010)] * 2
    assert asked[0] == asked[1]
    assert asked[0].changed_nothing


@each_call
def test_without_the_permission_a_call_is_refused_whatever_it_names(call, ours, client_of):
    client = lacking(call, ours.brand, client_of)

    asked = [ask(client, call, ids) for ids in (ours.ids, unknown_ids(ours))]

    assert [(each.status, each.code) for each in asked] == [(403, 4000)] * 2
    assert asked[0] == asked[1]
    assert asked[0].changed_nothing


@each_call
def test_with_the_permission_a_call_is_answered_from_the_own_brand(call, ours, theirs, owner, stranger):
    row = ROWS[call.key]

    mine, other = ask(owner, call, ours.ids), ask(stranger, call, theirs.ids)

    assert (mine.status, other.status) == (row.status, row.status), mine.text
    assert [mark for mark in marks(theirs) if mark in mine.text] == []
    assert [mark for mark in marks(ours) if mark in other.text] == []
    assert mine.statements == other.statements
    if call.method == "get" and call.path != "v3/clock":
        assert [mark for mark in marks(ours) if mark in mine.text] != []  # a leak would have been seen


@pytest.mark.parametrize(("call", "names"), list(foreign_cases()))
def test_what_is_another_brands_looks_unknown(call, names, ours, theirs, stranger):
    found, foreign = differences(call, names, ours, theirs, stranger)

    assert found == []
    if len(names) == 1:
        assert (foreign.status, foreign.code) == (NOT_FOUND | ROWS[call.key].foreign)[names[0]]


def differences(call, names, ours, theirs, stranger):
    """By what a stranger can tell our ids from those that nobody has, or has touched them; and his answer to ours."""
    unknown = unknown_ids(ours)
    with_ours = theirs.ids | {name: ours.ids[name] for name in names}
    with_unknown = theirs.ids | {name: unknown[name] for name in names}

    foreign, nobodys = ask(stranger, call, with_ours), ask(stranger, call, with_unknown)

    text = without_values(foreign.text, with_ours, names)
    pairs = {
        "text": (text, without_values(nobodys.text, with_unknown, names)),
        "status": (foreign.status, nobodys.status),
        "statements": (foreign.statements, nobodys.statements),
        "marks of ours": ([mark for mark in marks(ours) if mark in text], []),
        "rows that were there": ((foreign.vanished, nobodys.vanished), ({}, {})),  # he may only add, to his own brand
        "tables written": (tables(foreign.appeared), tables(nobodys.appeared)),
        "nothing changed by a refusal": (foreign.status < 400 or foreign.changed_nothing, True),
    }
    return [(what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]], foreign


def tables(rows):
    return sorted(table for table, _ in rows.elements())


@pytest.mark.parametrize(("call", "method"), list(paths_and_other_methods()))
def test_method_that_a_path_does_not_have_is_refused(call, method, ours, owner):
    anonymous, asked = ask(APIClient(), call, ours.ids, method), ask(owner, call, ours.ids, method)

    assert (anonymous.status, asked.status) == (401, 405)
    assert (anonymous.changed_nothing, asked.changed_nothing) == (True, True)


@pytest.mark.parametrize("call", [pytest.param(call, id=label(call)) for call in CALLS if call.method == "get"])
def test_head_is_refused_and_answered_as_get_is(call, ours, owner, client_of):
    clients = [APIClient(), lacking(call, ours.brand, client_of), owner]

    asked = [ask(client, call, ours.ids, "head") for client in clients]

    assert [each.status for each in asked] == [401, 403, 200]
    assert [each.text for each in asked] == [""] * 3


def test_name_that_another_brand_has_taken_is_free(ours, stranger):
    new = ROWS["targetGroups", "post"].body({})

    response = stranger.post("/v3/targetGroups", new | {"name": f"{ours.brand.name} programme"})

    assert response.status_code == 201


def read_customer():
    wanted = ("v3/customers/<str:customer_id>", "get")
    return next(call for call in CALLS if (call.path, call.method) == wanted)


def test_matrix_notices_a_look_up_that_forgets_the_brand(monkeypatch, ours, theirs, stranger):
    def careless(brand, number):
        return Customer.objects.filter(customer_id=number).first() or find_customer(brand, number)

    monkeypatch.setattr("targets.api.customers.find_customer", careless)

    found, _ = differences(read_customer(), ["customer_id"], ours, theirs, stranger)

    assert {what for what, *_ in found} >= {"text", "status", "marks of ours"}


def test_matrix_notices_a_statement_that_only_a_known_id_causes(monkeypatch, ours, theirs, stranger):
    def curious(brand, number):
        if Customer.objects.filter(customer_id=number).exists():
            Customer.objects.count()
        return find_customer(brand, number)

    monkeypatch.setattr("targets.api.customers.find_customer", curious)

    found, _ = differences(read_customer(), ["customer_id"], ours, theirs, stranger)

    ((what, with_ours, with_unknown),) = found
    assert what == "statements"
    assert [each for each in with_ours if each not in with_unknown and "SELECT COUNT(*)" in each] != []
