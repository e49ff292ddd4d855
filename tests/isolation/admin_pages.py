"""A row for each address of the admin: how to build it, and which permissions open it.

An address without a row fails `test_every_address_of_the_admin_has_its_row`. So does a model that is newly registered:
name in `MODELS` which permission shows its rows, which adds and which changes one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import URLPattern, get_resolver, reverse

from enrollments.models import (
    Activity,
    ActivityOutcome,
    LeavePlan,
    Participation,
    Progress,
    Receipt,
    Run,
    Stay,
)
from rewards.models import Grant, Reward
from targets.admin.lists import ConsoleAdmin
from targets.models import (
    ApiClient,
    ApiUser,
    AuditEntry,
    Brand,
    Customer,
    Cycle,
    FormerCycle,
    FormerValue,
    Inactivity,
    ProgrammeChange,
    RefusedCalls,
    StreakLevel,
    Target,
    TargetGroup,
    TargetValue,
)
from tests.enrollments.admin_scene import NOW
from tests.isolation.story import NUMBER, Story


class Opens(Enum):
    """What is opened by no permission in particular."""

    TO_ANYBODY = auto()
    TO_STAFF = auto()
    TO_SUPERUSERS = auto()
    TO_NOBODY = auto()


# One permission of each group is needed: Django takes who may change a row for one who may see it.
Needs = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Request:
    """One request to a page. `got`: the status where it is let through; `writes`: whether it then changes a row."""

    needs: Needs | Opens
    got: int = 200
    writes: bool = False
    data: Callable[[Story], dict[str, Any]] = lambda story: {}
    refused: int = 403


@dataclass(frozen=True)
class Page:
    address: Callable[[Story], str]
    get: Request
    post: Request


def seen_with(model: type[Model]) -> tuple[str, str]:
    label, name = model._meta.app_label, model._meta.model_name
    return f"{label}.view_{name}", f"{label}.change_{name}"


VIEW_ENROLMENT, VIEW_CUSTOMER, VIEW_GROUP = seen_with(Participation), seen_with(Customer), seen_with(TargetGroup)
SEE_FIGURES = (VIEW_GROUP, ("enrollments.view_participation",), ("rewards.view_grant",))
UNENROL = ("enrollments.unenroll", "enrollments.bulk_unenroll")
UNENROL_MANY = (("enrollments.bulk_unenroll",), VIEW_ENROLMENT)
BULK, VIEW_LISTS = ("enrollments.bulk_unenroll",), ("enrollments.view_leaveplan",)


@dataclass(frozen=True)
class Rows:
    """What opens the pages that Django makes for a model."""

    see: Needs | Opens
    add: Request = Request(Opens.TO_NOBODY)
    change: Request = Request(Opens.TO_NOBODY)
    delete: Request = Request(Opens.TO_NOBODY)
    history: int = 200


READ_ONLY = (
    Activity,
    ActivityOutcome,
    ApiClient,
    Cycle,
    FormerCycle,
    FormerValue,
    Grant,
    Inactivity,
    LeavePlan,
    Participation,
    ProgrammeChange,
    Progress,
    Receipt,
    RefusedCalls,
    Reward,
    Run,
    Stay,
    StreakLevel,
    Target,
    TargetValue,
)
FOR_SUPERUSERS = Rows(Opens.TO_SUPERUSERS, *(Request(Opens.TO_SUPERUSERS),) * 3)
MODELS: dict[type[Model], Rows] = {
    **{model: Rows((seen_with(model),)) for model in READ_ONLY},
    Customer: Rows(
        (VIEW_CUSTOMER,),
        add=Request((("targets.change_customer",),), 302, True, lambda story: story.registering),
        change=Request((("targets.change_customer",),), 302, True, lambda story: {"first_name": "Anna"}),
    ),
    TargetGroup: Rows(
        (VIEW_GROUP,),
        add=Request((("targets.add_targetgroup",),), 302, True, lambda story: story.defining),
        history=302,
    ),
    Brand: Rows(
        (seen_with(Brand),),
        change=Request((("targets.change_brand",),), 302, True, lambda story: {"name": "Renamed", "time_zone": "UTC"}),
    ),
    ApiUser: Rows((seen_with(ApiUser),), change=Request(Opens.TO_SUPERUSERS, 302, True)),
    User: FOR_SUPERUSERS,
    Group: FOR_SUPERUSERS,
    AuditEntry: Rows(Opens.TO_SUPERUSERS),
}


def django_pages(model: type[Model], rows: Rows) -> Iterator[tuple[str, Page]]:
    """The pages that Django makes of each registered model."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"

    def page_of(kind: str) -> Callable[[Story], str]:
        return lambda story: reverse(f"admin:{name}_{kind}", args=[story.row(model)])

    seeing = Request(rows.see)
    adding = Request(rows.add.needs)  # looking at the empty form
    yield f"{name}_changelist", Page(lambda story: reverse(f"admin:{name}_changelist"), seeing, seeing)
    yield f"{name}_add", Page(lambda story: reverse(f"admin:{name}_add"), adding, rows.add)
    yield f"{name}_change", Page(page_of("change"), seeing, rows.change)
    yield f"{name}_delete", Page(page_of("delete"), Request(rows.delete.needs), rows.delete)
    if isinstance(admin.site.get_model_admin(model), ConsoleAdmin):
        address = at(f"{name}_export")
        yield f"{name}_export", Page(address, Request(Opens.TO_STAFF, 405), seeing)
    history = Request(rows.see, rows.history)
    yield f"{name}_history", Page(page_of("history"), history, history)
    to_change = Request(Opens.TO_STAFF, 302)  # to the page above, whatever the id
    yield f"{name}_redirect", Page(lambda story: page_of("change")(story).removesuffix("change/"), to_change, to_change)


def at(name: str, *of: Callable[[Story], Any]) -> Callable[[Story], str]:
    return lambda story: reverse(f"admin:{name}", args=[each(story) for each in of])


def same(address: Callable[[Story], str], opens: Needs | Opens, got: int = 200, posted: int | None = None) -> Page:
    """A page that writes nothing."""
    return Page(address, Request(opens, got), Request(opens, got if posted is None else posted))


def operation(address: Callable[[Story], str], needs: Needs, data: Callable[[Story], dict[str, Any]]) -> Page:
    return Page(address, Request(needs), Request(needs, 302, True, data))


def finding(name: str) -> Callable[[Story], str]:
    return lambda story: f"{reverse('admin:targets_customer_find')}?{urlencode({'q': getattr(story.customer, name)})}"


def programme_page(name: str) -> Callable[[Story], str]:
    return at(f"targets_targetgroup_{name}", lambda story: story.milestone.target_group_id)


def step(name: str, needs: Needs, data: Callable[[Story], dict[str, Any]] = lambda story: {}) -> Page:
    """Something that is done with an uploaded list, which a POST alone does."""
    address = at(f"enrollments_leaveplan_{name}", lambda story: story.listed.pk)
    return Page(address, Request(Opens.TO_STAFF, 405), Request(needs, 302, True, data))


OF_REWARDS = tuple(f"rewards.{deed}_{name}" for name in ("grant", "reward") for deed in ("view", "change"))
PAGES: dict[str, Page] = {
    **{name: page for model, rows in MODELS.items() for name, page in django_pages(model, rows)},
    "index": same(at("index"), Opens.TO_STAFF),
    "login": same(at("login"), Opens.TO_ANYBODY),
    "logout": same(at("logout"), Opens.TO_ANYBODY, 302),
    "password_change": same(at("password_change"), Opens.TO_STAFF),
    "password_change_done": same(at("password_change_done"), Opens.TO_STAFF, 200, 405),
    "second_factor": same(at("second_factor"), Opens.TO_STAFF, 200, 302),
    "second_factor_code": same(at("second_factor_code"), Opens.TO_STAFF, 302),  # who is not asked for one goes on
    "second_factor_remove": same(at("second_factor_remove"), Opens.TO_STAFF, 302),  # who has none sets one up
    "jsi18n": same(at("jsi18n"), Opens.TO_STAFF, 200, 405),
    "autocomplete": Page(
        lambda story: (
            reverse("admin:autocomplete") + "?app_label=targets&model_name=customer&field_name=brand&term=brand"
        ),
        Request((seen_with(Brand),)),
        Request(Opens.TO_STAFF, 405),
    ),
    # No row has an address outside the admin.
    "view_on_site": same(
        at(
            "view_on_site",
            lambda story: ContentType.objects.get_for_model(Customer).pk,
            lambda story: story.customer.pk,
        ),
        Opens.TO_STAFF,
        404,
    ),
    "app_list": Page(
        lambda story: reverse("admin:app_list", args=["rewards"]),
        Request((OF_REWARDS,), refused=404),
        Request((OF_REWARDS,), refused=404),
    ),
    "(?P<url>.*)$": same(lambda story: reverse("admin:index") + "nothing/here", Opens.TO_STAFF, 404),
    "auth_user_password_change": same(
        at("auth_user_password_change", lambda story: story.row(User)), Opens.TO_SUPERUSERS
    ),
    "enrollments_participation_unenroll": operation(
        lambda story: f"{reverse('admin:enrollments_participation_unenroll')}?id={story.open.pk}",
        (UNENROL, VIEW_ENROLMENT),
        lambda story: story.unenrolling,
    ),
    "enrollments_participation_cancel_leave": operation(
        at("enrollments_participation_cancel_leave", lambda story: story.leaving.pk),
        (("enrollments.cancel_leave",), VIEW_ENROLMENT),
        lambda story: story.cancelling,
    ),
    "enrollments_participation_reenrol": operation(
        at("enrollments_participation_reenrol", lambda story: story.left.pk),
        (("enrollments.enroll",), VIEW_ENROLMENT),
        lambda story: story.reenrolling,
    ),
    "targets_targetgroup_unenrol_many": operation(
        programme_page("unenrol_many"),
        (BULK, VIEW_GROUP, VIEW_LISTS),
        lambda story: story.uploading,
    ),
    "enrollments_leaveplan_go_on": step("go_on", (BULK, VIEW_LISTS), lambda story: {"seen": "PLANNING"}),
    "enrollments_leaveplan_approve": Page(
        at("enrollments_leaveplan_approve", lambda story: story.waiting.pk),
        Request(Opens.TO_STAFF, 405),
        Request((("enrollments.approve_bulk",), VIEW_LISTS), 302, True),
    ),
    "enrollments_leaveplan_withdraw": step("withdraw", ((*BULK, "enrollments.approve_bulk"), VIEW_LISTS)),
    "enrollments_leaveplan_result": Page(
        at("enrollments_leaveplan_result", lambda story: story.waiting.pk),
        Request((VIEW_LISTS,)),
        Request(Opens.TO_STAFF, 405),
    ),
    "enrollments_receipt_undo": operation(
        at("enrollments_receipt_undo", lambda story: story.leaving.receipts.latest("pk").pk),
        (("enrollments.undo_unenrolment",), seen_with(Receipt)),
        lambda story: {"reason": "By mistake", "shown": "LEAVE_CANCELLED.0.0"},
    ),
    "targets_customer_find": Page(
        finding("customer_id"),
        Request((VIEW_CUSTOMER,), 302),
        Request(Opens.TO_STAFF, 405),
    ),
    "targets_customer_erase": operation(
        at("targets_customer_erase", lambda story: story.customer.pk),
        (("targets.erase_customer",), VIEW_CUSTOMER),
        lambda story: {"reason": "Ticket 9"},
    ),
    "targets_targetgroup_figures": Page(programme_page("figures"), Request(SEE_FIGURES), Request(Opens.TO_STAFF, 405)),
    "targets_targetgroup_figures_csv": Page(
        programme_page("figures_csv"), Request(SEE_FIGURES), Request(Opens.TO_STAFF, 405)
    ),
    "targets_targetgroup_active": operation(
        programme_page("active"),
        (("targets.freeze_targetgroup",), VIEW_GROUP),
        lambda story: {"wanted": "frozen"},
    ),
    "targets_targetgroup_edit": operation(
        programme_page("edit"),
        (("targets.change_targetgroup",),),
        lambda story: story.editing,
    ),
    "targets_targetgroup_reward": operation(
        lambda story: f"{programme_page('reward')(story)}?target={story.milestone.pk}",
        (("rewards.change_reward",), VIEW_GROUP),
        lambda story: story.rewarding,
    ),
}
# The same addresses asked for otherwise: more that a permission opens, and more that another brand's ids may reach.
VARIANTS: dict[str, Page] = {
    **{
        f"find by {name}": Page(
            finding(name),
            Request((VIEW_CUSTOMER,), 200 if name == "first_name" else 302),
            Request(Opens.TO_STAFF, 405),
        )
        for name in ("external_id", "email", "mobile", "first_name")
    },
    "customer, what happened before": Page(
        lambda story: (
            f"{reverse('admin:targets_customer_change', args=[story.customer.pk])}"
            f"?{urlencode({'before': f'{NOW.isoformat()}~5~1', 'programmes': 2})}"
        ),
        Request((VIEW_CUSTOMER,)),
        MODELS[Customer].change,
    ),
    "unenrol two": Page(
        lambda story: f"{reverse('admin:enrollments_participation_unenroll')}?id={story.open.pk}&id={story.leaving.pk}",
        Request(UNENROL_MANY),
        Request(UNENROL_MANY, 200, True, lambda story: story.unenrolling_two),  # a page says what became of each
    ),
}


def addresses() -> list[str]:
    """The name of each address that the admin answers; of one without a name, its path."""
    site = next(each for each in get_resolver().url_patterns if getattr(each, "app_name", None) == "admin")

    def walk(patterns: Any, prefix: str = "") -> Iterator[str]:
        for each in patterns:
            path = prefix + str(each.pattern)
            if isinstance(each, URLPattern):
                yield each.name or path.replace("/<path:object_id>/", "_redirect").replace("/", "_")
            else:
                yield from walk(each.url_patterns, path)

    return list(walk(site.url_patterns))


def list_queries(model: type[Model], story: Story) -> Iterator[str]:
    """What can be asked of a list about somebody else's rows: searched, and filtered by each of its filters."""
    console = admin.site.get_model_admin(model)
    terms = [str(NUMBER), story.customer.email, story.customer.external_id, story.milestone.name, story.brand.name]
    receipt, activity = (
        story.open.receipts.earliest("pk"),
        Activity.objects.filter(customer=story.customer).earliest("pk"),
    )
    for term in (*terms, f"%23{receipt.pk}", activity.event_id):
        yield f"q={term}"
    for each in getattr(console, "list_filter", ()):
        if isinstance(each, str) and each.endswith("brand"):
            yield f"{each}__id__exact={story.brand.pk}"
        elif getattr(each, "parameter_name", None):
            yield f"{each.parameter_name}={story.milestone.target_group_id}"
            yield f"{each.parameter_name}={story.milestone.name}"
