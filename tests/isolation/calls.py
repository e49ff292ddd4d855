"""Every call of the API, and the row of the matrix that says how it is asked.

A new call needs a row in `ROWS`, else `test_api.py` fails. A row names the ids that it sends by reading them from
`ids` (the names are those of `scene.Ids`); which ids to make foreign is found out by watching what it reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

# Asked without credentials, and meant to be. (The probes and static files are answered before any URL is looked up.)
PUBLIC = {"", "admin", "docs", "docs/", "v3/schema"}
# Who asks for a token shows the credentials of a client, of whatever brand: tests/config/test_tokens.py.
TOKENS = {"oauth/token", "v3/oauth/token/generate"}
PUBLIC_BEFORE_URLS = ["/healthz", "/readyz", "/static/milestreak/console.css"]

# What another brand's id, or an unknown one, is answered. A row may say otherwise.
NOT_FOUND = {
    "group_id": (404, 310017),
    "target_id": (404, 310018),
    "customer_id": (404, 310011),
    "newcomer_id": (404, 310011),
    "leaving_id": (404, 310011),
    "receipt_id": (404, 4040),
    "batch_id": (404, 4040),
    "period_id": (404, 310019),
    "period_name": (404, 310019),
}
# Where it is just not found among one's own: bulk, feeds, narrowed lists.
PASSED_OVER = (200, None)
REGISTERED = (201, None)

Build = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Row:
    """`status` is the permitted answer; `foreign` what an id of another brand is answered (status, code)."""

    body: Build | None = None
    query: Build | None = None
    status: int = 200
    foreign: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)


class Call(NamedTuple):
    path: str
    method: str
    view: Any
    action: str

    @property
    def key(self) -> tuple[str, str]:
        """The published calls answer with and without /v3: they share a row."""
        return self.path.removeprefix("v3/"), self.method

    @property
    def permission(self) -> str:
        return self.view.required_permissions[self.action]


TARGET = "targetGroups/<str:group_id>/targets/<str:target_id>"


def record_of(name: str, **details: str) -> Build:
    """A body of one customer; `details` are fields that take another id."""
    return lambda ids: [{"customerId": ids[name]} | {field: ids[other] for field, other in details.items()}]


NEW_GROUP = {
    "name": "Brand new",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
    "frequencyType": "MONTHLY",
    "frequency": 1,
    "totalPeriods": 2,
    "targetCycleStartDate": "2026-01-01T00:00:00",
    "targets": [
        {
            "name": "Brand new",
            "targetEntity": "TRANSACTION",
            "targetType": "COUNT",
            "defaultValues": [{"defaultValue": 1}],
        }
    ],
}

ROWS: dict[tuple[str, str], Row] = {
    (f"{TARGET}/unEnroll", "post"): Row(record_of("customer_id")),
    (f"{TARGET}/unEnroll/preview", "post"): Row(record_of("customer_id")),
    (f"{TARGET}/unEnroll/cancel", "post"): Row(record_of("leaving_id")),
    (f"{TARGET}/enroll", "post"): Row(record_of("newcomer_id", periodName="period_name")),
    (f"{TARGET}/enroll/bulk", "post"): Row(
        lambda ids: {"records": [{"customerId": ids["newcomer_id"], "periodName": ids["period_name"]}]},
        foreign={"newcomer_id": PASSED_OVER, "period_name": PASSED_OVER},
    ),
    (f"{TARGET}/unEnroll/bulk", "post"): Row(
        lambda ids: {"customerIds": [ids["customer_id"]]}, foreign={"customer_id": PASSED_OVER}
    ),
    (f"{TARGET}/enrollments/<str:customer_id>", "get"): Row(),
    ("users/<str:customer_id>/targetGroups", "get"): Row(
        query=lambda ids: {"targetRuleId": ids["target_id"], "includeInactive": "true"},
        foreign={"target_id": PASSED_OVER},
    ),
    ("users/<str:customer_id>/trackedTargetEvents/<str:target_id>", "get"): Row(
        query=lambda ids: {"periodId": ids["period_id"]}
    ),
    ("targetGroups", "get"): Row(query=lambda ids: {"includePeriods": "true"}),
    ("targetGroups", "post"): Row(lambda ids: NEW_GROUP, status=201),
    ("targetGroups/<str:group_id>", "get"): Row(),
    ("targetGroups/<str:group_id>/targetPeriods", "get"): Row(),
    ("targetGroups/<str:group_id>/targets", "get"): Row(),
    ("receipts", "get"): Row(
        query=lambda ids: {"after": ids["receipt_cursor"]}, foreign={"receipt_cursor": PASSED_OVER}
    ),
    ("receipts/<str:receipt_id>", "get"): Row(),
    ("receipts/<str:receipt_id>/undo", "post"): Row(lambda ids: {"reason": "by mistake"}),
    ("batches/<str:batch_id>/undo", "post"): Row(lambda ids: {"reason": "the wrong list"}),
    ("rewardGrants", "get"): Row(
        query=lambda ids: {"after": ids["grant_cursor"]}, foreign={"grant_cursor": PASSED_OVER}
    ),
    ("activities", "post"): Row(
        lambda ids: [
            {
                "eventId": ids["event_id"],
                "eventName": "purchase",
                "customerId": ids["newcomer_id"],
                "occurredAt": "2026-01-02T00:00:00Z",
            }
        ],
        foreign={"event_id": PASSED_OVER, "newcomer_id": PASSED_OVER},
    ),
    # A number is each brand's own: theirs is registered anew, as any other would be.
    ("customers/<str:customer_id>", "put"): Row(lambda ids: {"lastName": "Noor"}, foreign={"customer_id": REGISTERED}),
    ("customers/<str:customer_id>", "get"): Row(),
    ("customers/bulk", "post"): Row(
        lambda ids: {"customers": [{"customerId": ids["customer_id"]}]}, foreign={"customer_id": PASSED_OVER}
    ),
    ("clock", "get"): Row(),
    ("clock", "put"): Row(lambda ids: {"now": "2026-01-03T00:00:00Z"}),
}


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every path outside the admin, which has a matrix of its own."""
    for each in resolver.url_patterns:
        path = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield path, each
        elif each.namespace != "admin":
            yield from patterns(each, path)


def all_paths() -> list[tuple[str, URLPattern]]:
    return list(patterns(get_resolver()))


def calls_of(path: str, pattern: URLPattern) -> list[Call]:
    """The methods that the view of a path answers. HEAD and OPTIONS are tested for all paths alike."""
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    assert view is not None, f"{path}: neither public nor a view with methods"
    actions = getattr(pattern.callback, "actions", None)
    if actions is None:
        actions = {method: method for method in view.http_method_names if hasattr(view, method)}
    return [Call(path, method, view, action) for method, action in actions.items() if method not in ("head", "options")]


def all_calls() -> list[Call]:
    return [call for path, pattern in all_paths() if path not in PUBLIC | TOKENS for call in calls_of(path, pattern)]


class Watched(dict[str, Any]):
    """Remembers which names were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def __missing__(self, name: str) -> str:
        self.read.append(name)
        return name


def names_sent(call: Call) -> list[str]:
    """The ids that a call sends, in path, query and body."""
    watched = Watched()
    row = ROWS[call.key]
    for name in re.findall(r"<str:(\w+)>", call.path):
        watched[name]
    for build in (row.query, row.body):
        if build is not None:
            build(watched)
    return list(dict.fromkeys(watched.read))
