"""Every page of the admin x nobody, staff of another brand, of this brand without the permission, and with it.

Another brand's rows are to be indistinguishable from none. So each request is made twice: with the other brand there,
and with all that is the other brand's rolled back, so that the very same ids are unknown. All that can be told apart
is compared: status, place, messages, the page itself, and the number of statements.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from targets.admin.lists import ConsoleAdmin
from targets.admin.people import SuperusersOnly
from targets.models import ApiClient, ApiUser, Brand, Customer
from tests.config.second_factor_scene import with_second_factor
from tests.enrollments.admin_scene import signed_in, staff
from tests.faults import everything
from tests.isolation.admin_pages import MODELS, PAGES, VARIANTS, Opens, Page, Request, addresses, list_queries
from tests.isolation.story import NUMBER, Story, story_of

pytestmark = pytest.mark.django_db

ALL = PAGES | VARIANTS
OTHER = "Zanzibar"  # in every text of the other brand, and in no word of the admin
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
APPS = ("auth", "targets", "rewards", "enrollments")


@pytest.fixture(autouse=True)
def known_content_types():
    """Django remembers content types: what it asks for must not depend on who asks first."""
    ContentType.objects.clear_cache()  # nor on what was asked for before this test
    models = [each.model_class() for each in ContentType.objects.all() if each.model_class()]
    for is_concrete in (True, False):  # those of proxies are remembered apart
        ContentType.objects.get_for_models(*models, for_concrete_models=is_concrete)


def permissions() -> set[str]:
    return {
        f"{label}.{codename}"
        for label, codename in Permission.objects.filter(content_type__app_label__in=APPS).values_list(
            "content_type__app_label", "codename"
        )
    }


def asked(client: Client, method: str, address: str, data: dict[str, Any]) -> Any:
    """The answer to one request by whoever is signed in with `client`; no request knows of the one before."""
    fresh = Client(raise_request_exception=True)
    if settings.SESSION_COOKIE_NAME in client.cookies:
        fresh.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return fresh.get(address) if method == "get" else fresh.post(address, data)


def of_brands() -> list[type[Model]]:
    """The models whose rows are a brand's."""
    consoles = {model: admin.site.get_model_admin(model) for model in MODELS}
    return [
        model
        for model, console in consoles.items()
        if isinstance(console, ConsoleAdmin) and not isinstance(console, SuperusersOnly)
    ]


def requests(page: Page) -> Iterator[tuple[str, Request]]:
    yield "get", page.get
    yield "post", page.post


def state() -> tuple[dict[str, Any], list[Any]]:
    """Every row that somebody could have changed. Signing in changes when somebody signed in last, and whoever takes
    a list along, though it be empty, is put on record.
    """
    tables = everything()
    tables["targets_auditentry"] = [row for row in tables["targets_auditentry"] if row["action"] != "EXPORTED"]
    for row in tables["auth_user"]:
        del row["last_login"]
    return tables, list(LogEntry.objects.order_by("pk").values())


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_address_of_the_admin_has_its_row():
    assert sorted(addresses()) == sorted(PAGES)


def test_every_model_says_where_its_brand_is_or_is_for_superusers():
    for model, console in admin.site._registry.items():
        if isinstance(console, SuperusersOnly):
            continue
        assert isinstance(console, ConsoleAdmin), model
        field: Any = model._meta.pk
        related = model
        for name in console.brand_path.split("__"):
            field = related._meta.get_field(name) if name != "pk" else related._meta.pk
            related = field.related_model or related
        assert related is Brand, model


def test_anonymous_is_sent_to_log_in_from_every_page():
    story = story_of(OTHER)
    rows = {name: (page, page.address(story), page.post.data(story)) for name, page in ALL.items()}
    before = state()

    answers = {
        (name, method): asked(Client(), method, address, data if method == "post" else {})
        for name, (page, address, data) in rows.items()
        for method, request in requests(page)
        if request.needs != Opens.TO_ANYBODY
    }

    assert {each.status_code for each in answers.values()} == {302}
    assert [name for name, each in answers.items() if not each["Location"].startswith("/admin/login/?next=")] == []
    assert state() == before


def test_who_awaits_a_code_is_sent_to_it_from_every_page():
    sent = every_request(story_of(OTHER), but=("login", "logout", "second_factor_code"))
    user = staff(is_superuser=True)
    with_second_factor(user)
    client = signed_in(user)
    before = state()

    led = {what: whither(asked(client, *request)) for what, request in sent.items()}

    assert {each.partition("?")[0] for each in led.values()} == {"/admin/second_factor/code/"}
    assert len(led) > 200
    assert state() == before


def test_who_must_set_one_up_is_sent_there_from_every_page(settings):
    sent = every_request(story_of(OTHER), but=("login", "logout", "second_factor"))
    client = signed_in(staff(is_superuser=True))
    settings.REQUIRE_SECOND_FACTOR = True
    before = state()

    led = {what: whither(asked(client, *request)) for what, request in sent.items()}

    assert set(led.values()) == {"/admin/second_factor/"}
    assert len(led) > 200
    assert state() == before


def every_request(story: Story, *, but: tuple[str, ...]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, address and data of each request to each page, but for the pages named in `but`."""
    return {
        f"{method} {name}": (method, page.address(story), request.data(story))
        for name, page in ALL.items()
        for method, request in requests(page)
        if name not in but
    }


def whither(answer: Any) -> str:
    return answer.headers.get("Location", f"nowhere: {answer.status_code}")


# Another brand's staff


def told(client: Client, method: str, address: str, data: dict[str, Any]) -> tuple[Any, ...]:
    """All that somebody can tell from an answer."""
    with CaptureQueriesContext(connection) as queries:
        answer = asked(client, method, address, data)
    messages = [str(each) for each in get_messages(answer.wsgi_request)]
    page = TOKEN.sub("", answer.getvalue().decode())
    return answer.status_code, answer.headers.get("Location"), messages, page, len(queries)


def intrusions(story: Story) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """What somebody may try with the ids, names and numbers of the brand in `story`."""
    found = {}
    for name, page in ALL.items():
        for method, request in requests(page):
            if request.needs != Opens.TO_ANYBODY:
                found[f"{method} {name}"] = method, page.address(story), request.data(story)
    for model in of_brands():
        address = PAGES[f"{model._meta.app_label}_{model._meta.model_name}_changelist"].address(story)
        for query in list_queries(model, story):
            found[f"{address}?{query}"] = "get", f"{address}?{query}", {}
    enrolments = PAGES["enrollments_participation_changelist"].address(story)
    chosen = {"action": "unenroll_selected", "_selected_action": [story.open.pk]}
    found["action on an enrolment"] = "post", enrolments, chosen
    return found


def has_done(user: User, customer: Customer) -> None:
    """An edit of a time when the customer's brand was his."""
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(customer.pk),
        object_repr=str(customer.first_name),
        action_flag=CHANGE,
    )


def test_another_brands_rows_are_like_none_on_every_page():
    own = story_of("Ours")
    user = staff(*permissions(), brands=[own.brand])
    client = signed_in(user)
    has_done(user, own.customer)
    with undone():
        story = story_of(OTHER)
        has_done(user, story.customer)
        tried = intrusions(story)
        before = state()

        there = {name: told(client, *request) for name, request in tried.items()}

        assert state() == before
    gone = {name: told(client, *request) for name, request in tried.items()}
    assert [name for name in tried if there[name] != gone[name]] == []
    # Nor is anything of it on a page, but for what was typed there.
    assert [name for name, answer in there.items() if OTHER in answer[3] and OTHER not in str(tried[name])] == []
    assert len(tried) > 300


def test_staff_of_no_brand_finds_every_list_empty_and_no_row():
    story = story_of("Ours")
    client = signed_in(staff(*permissions(), brands=[]))
    ours = of_brands()
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in ours]

    lists = [client.get(PAGES[f"{name}_changelist"].address(story), {"q": str(NUMBER)}) for name in names]
    rows = [client.get(PAGES[f"{name}_change"].address(story)) for name in names]

    assert [list(each.context["cl"].result_list) for each in lists] == [[]] * len(names)
    assert [(each.status_code, each["Location"]) for each in rows] == [(302, "/admin/")] * len(names)


def test_brands_cost_one_statement_a_page_and_none_for_superusers():
    story = story_of("Ours")
    limited = signed_in(staff(*permissions(), brands=[story.brand]))
    chief = signed_in(staff(is_superuser=True))
    ours = of_brands()
    addresses = [
        PAGES[f"{model._meta.app_label}_{model._meta.model_name}_{kind}"].address(story)
        for model in ours
        for kind in ("changelist", "change")
    ]

    costs = {each: told(limited, "get", each, {})[-1] - told(chief, "get", each, {})[-1] for each in addresses}

    permissions_of_user_and_of_groups = 2
    expected = permissions_of_user_and_of_groups + 1
    assert {address: cost for address, cost in costs.items() if cost != expected} == {}


# Staff of the brand


@pytest.fixture
def story():
    return story_of("Ours")


def member(story: Story, granted: set[str] | tuple[str, ...], **details: Any) -> Client:
    return signed_in(staff(*granted, brands=[story.brand], **details))


def test_without_the_permission_every_page_is_refused_and_nothing_changes(story):
    every = permissions()
    clients: dict[frozenset[str], Client] = {}
    cases = []
    for name, page in ALL.items():
        for method, request in requests(page):
            lacking = request.needs if isinstance(request.needs, tuple) else ((),)
            if request.needs in (Opens.TO_ANYBODY, Opens.TO_STAFF):
                continue
            for group in lacking:
                granted = frozenset(every - set(group))
                clients[granted] = clients.get(granted) or member(story, tuple(granted))
                cases.append((f"{method} {name} without {group}", clients[granted], method, page, request))
    data = {id(request): request.data(story) for *_, request in cases}
    before = state()

    wrong = {
        what: answer.status_code
        for what, client, method, page, request in cases
        if (answer := asked(client, method, page.address(story), data[id(request)])).status_code != request.refused
    }

    assert wrong == {}
    assert state() == before


def test_with_the_permission_every_page_opens_and_what_it_is_for_is_done(story):
    chief = signed_in(staff(is_superuser=True))
    cases = [
        (f"{method} {name}", method, page.address(story), request, request.data(story))
        for name, page in ALL.items()
        for method, request in requests(page)
    ]
    before = state()

    wrong = {}
    for what, method, address, request, data in cases:
        with undone():
            needed = [group[0] for group in request.needs] if isinstance(request.needs, tuple) else []
            is_for_all = isinstance(request.needs, tuple) or request.needs == Opens.TO_STAFF
            client = Client() if request.needs == Opens.TO_ANYBODY else chief
            if is_for_all:
                client = member(story, tuple(needed))
            was = state() if request.writes else None
            answer = asked(client, method, address, data)
            expected = request.refused if request.needs == Opens.TO_NOBODY else request.got
            if (answer.status_code, request.writes and state() == was) != (expected, False):
                wrong[what] = answer.status_code
            if not is_unframed(answer):
                wrong[f"{what}, in a frame"] = answer.headers

    assert wrong == {}
    assert state() == before


def is_unframed(answer: Any) -> bool:
    """Whether no other site may show it within its own pages, to have its buttons pressed unseen."""
    policy = answer.headers.get("Content-Security-Policy", "")
    return answer.headers.get("X-Frame-Options") == "DENY" and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("is_limited", [True, False])
def test_recent_actions_name_nobody_whom_he_may_see_no_longer(story, is_limited):
    clerk = staff("targets.view_customer", brands=[story.brand if is_limited else None])
    has_done(clerk, story.customer)
    before = signed_in(clerk).get("/admin/").content.decode()

    clerk.user_permissions.clear()

    after = signed_in(clerk).get("/admin/").content.decode()
    assert [f"{story.customer.first_name}" in page for page in (before, after)] == [True, False]


def test_form_from_another_site_is_refused_on_every_page(story):
    chief = Client(enforce_csrf_checks=True)
    chief.force_login(staff(is_superuser=True))
    rows = {name: (page.address(story), page.post.data(story)) for name, page in ALL.items()}
    before = state()

    answers = {name: chief.post(address, data).status_code for name, (address, data) in rows.items()}

    assert {name: status for name, status in answers.items() if status != 403} == {}
    assert state() == before


# Columns that are shown nowhere


@pytest.mark.parametrize(
    ("model", "column"),
    [
        (ApiUser, "secret_digest"),
        (ApiUser, "former_digest"),
        (ApiUser, "user__password"),
        (ApiClient, "client_secret"),
        (ApiClient, "user__api_user__secret_digest"),
        (Customer, "erased_digest"),
    ],
)
def test_no_secret_is_guessed_bit_by_bit_in_the_address_of_a_list(story, model, column):
    client = member(story, tuple(permissions()))
    page = PAGES[f"{model._meta.app_label}_{model._meta.model_name}_changelist"].address(story)

    answers = [client.get(page, {f"{column}__{how}": "a"}) for how in ("startswith", "gt", "regex")]

    assert {(each.status_code, each.headers.get("Location")) for each in answers} <= {(302, f"{page}?e=1"), (400, None)}


def test_value_of_a_filter_that_no_column_can_have_is_refused(story):
    client = member(story, tuple(permissions()))
    page = PAGES["enrollments_receipt_changelist"].address(story)

    response = client.get(page, {"kind__exact": "\x00"})

    assert (response.status_code, response.headers.get("Location")) == (302, f"{page}?e=1")
