"""Old activities in the archive: everybody is answered as before, and what may still change stays where it is."""

import json
import re
from datetime import timedelta
from io import StringIO
from itertools import islice

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from enrollments import closing_job
from enrollments.integrity import all_violations
from enrollments.management.commands import archive_activities as command
from enrollments.models import Activity, ActivityOutcome, ArchivedActivity, ArchivedOutcome, Participation
from enrollments.operations import (
    ActivityData,
    archive_activities,
    close_cycles,
    close_own_cycles,
    enroll,
    erase_customer,
    record_activity,
    restore_activities,
    unenroll,
)
from targets.enums import EvaluationType, Kpi
from targets.models import Cycle
from tests.enrollments.admin_scene import ACT, signed_in, staff
from tests.factories import START, BrandFactory, CustomerFactory, make_programme
from tests.journeys.programme import CUSTOMER, Programme

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LONG_AFTER = START + 1000 * DAY


def archive(before=LONG_AFTER, **details):
    return sum(each.moved for each in archive_activities(before=before, **details))


def restore(**details):
    return sum(each.moved for each in restore_activities(**details))


def lying():
    """Activities and outcomes that are written, and those in the archive."""
    return [model.objects.count() for model in (Activity, ActivityOutcome, ArchivedActivity, ArchivedOutcome)]


def ran(*arguments, **options):
    out = StringIO()
    call_command("archive_activities", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def abc(site):
    """c1 and c2 have closed. He came, bought, gave back, was away for c2, returned, and buys in c3."""
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(1)
    abc.enroll()
    buys = [
        {
            "eventId": f"c1-{number}",
            "eventName": "purchase",
            "customerId": CUSTOMER,
            "occurredAt": "2026-01-06T09:00:00Z",
        }
        | details
        for number, details in enumerate(
            (
                {"amount": 9.5},
                {"amount": 1, "attributes": {"shop": "Pune", "sum": 1.50}},
                {"amount": -1},
                {"quantity": 3},
            )
        )
    ]
    site.post("/v3/activities", buys)
    site.post("/v3/activities", buys[0] | {"eventId": "other", "eventName": "visit"})
    abc.unenroll()
    abc.buy()
    abc.go_to(3)
    call_command("close_cycles", stdout=StringIO())
    abc.enroll()
    abc.buy()
    abc.deliveries = [*buys, buys[0] | {"eventId": "other", "eventName": "visit"}]
    return abc


def everything_told(abc):
    """All that is said of activities, through every door."""
    site, target = abc.site, abc.group["targets"][0]["id"]
    chief = signed_in(staff(is_superuser=True))
    pages = []
    for model in ("activity", "activityoutcome"):
        path = f"/admin/enrollments/{model}/"
        for query in ("", f"?q={CUSTOMER}", f"?brand__id__exact={site.brand.pk}", "?q=c1-1"):
            answer = chief.get(path + query)
            assert answer.status_code in (200, 302), path + query
            pages.append([str(each.pk) for each in answer.context["cl"].result_list] if answer.context else None)
        for pk in pages[-4]:
            page = chief.get(f"{path}{pk}/change/").content.decode()
            pages.append(re.sub(r"csrf.*", "", page[page.index("<main") : page.index("</main>")]))
    out = StringIO()
    call_command("export_customer", brand=site.brand.name, customer=CUSTOMER, stdout=out)
    return {
        "single": [site.post("/v3/activities", each) for each in abc.deliveries],
        "together": site.post("/v3/activities", abc.deliveries),
        "other content": site.post("/v3/activities", [each | {"amount": 77} for each in abc.deliveries]),
        "another's": site.post("/v3/activities", abc.deliveries[0] | {"customerId": CUSTOMER + 1}),
        "log": [
            site.get(f"/v3/users/{CUSTOMER}/trackedTargetEvents/{target}{query}")
            for query in ("", "?limit=2&offset=1", f"?periodId={abc.group['periods'][0]['id']}")
        ],
        "standing": abc.standing(),
        "integrity": list(all_violations()),
        "export": {name: rows for name, rows in json.loads(out.getvalue()).items() if name != "exportedAt"},
        "pages": pages,
    }


def test_everybody_is_answered_as_before_and_after_it_is_taken_back(abc):
    assert abc.site.put(f"/v3/customers/{CUSTOMER + 1}", {})[0] == 201
    before, rows = everything_told(abc), lying()

    assert archive() == 6
    archived, moved = everything_told(abc), lying()
    assert restore() == 6

    assert (rows, moved) == ([7, 6, 0, 0], [1, 1, 6, 5])
    assert archived == before
    assert (everything_told(abc), lying()) == (before, rows)
    assert before["together"][1]["data"][0]["notCounted"] == [{"targetId": None, "reason": "duplicate"}]
    assert before["log"][0][1]["pagination"]["total"] == 8


def test_what_may_still_change_stays():
    brand = BrandFactory(sandbox=True, clock_at=START)
    customer = CustomerFactory(brand=brand)
    late = make_programme(brand=brand, event_name="late", late_days=5)
    cyclic = make_programme(brand=brand, event_name="own", window=EvaluationType.CYCLIC_WINDOW)
    agnostic = make_programme(
        brand=brand, event_name="visit", kpi=Kpi.VISIT, target_value=1, window=EvaluationType.PERIOD_AGNOSTIC_WINDOW
    )
    for each in (late, cyclic, agnostic):
        enroll(customer=customer, target=each, at=START, **ACT)
    for name in ("late", "own", "visit", "nothing"):
        event = ActivityData(name, name, customer.customer_id, START)
        record_activity(brand=brand, activity=event, at=START)
    unenroll(customer=customer, target=late, at=START, **ACT)
    missed = ActivityData("missed", "late", customer.customer_id, START)  # counts if the leave is undone
    record_activity(brand=brand, activity=missed, at=START)

    def archived_at(day, before=LONG_AFTER):
        at = START + day * DAY
        list(close_cycles(brand=brand, at=at))
        list(close_own_cycles(brand=brand, at=at))
        archive(before)
        return sorted(ArchivedActivity.objects.values_list("event_id", flat=True))

    assert archived_at(1, before=START) == []
    assert archived_at(29) == ["nothing"]
    assert archived_at(30) == ["nothing", "own"]
    assert archived_at(35) == ["late", "missed", "nothing", "own"]
    assert archived_at(500) == ["late", "missed", "nothing", "own"]  # where periods end achieved none ever closes
    assert list(all_violations()) == []


def test_what_is_closed_but_not_paid_yet_stays(abc):
    Cycle.objects.filter(number=1).update(paid_at=None)

    assert archive() == 1  # which no target counts

    Cycle.objects.filter(number=1).update(paid_at=F("closed_at"))
    assert archive() == 5


def test_batch_of_new_known_and_archived_events_takes_a_few_statements_more_whatever_their_number(abc):
    archive()
    new = [
        abc.deliveries[0] | {"eventId": f"new-{number}", "occurredAt": "2026-01-26T09:00:00Z"} for number in range(3)
    ]

    def answered(events):
        with CaptureQueriesContext(connection) as captured:
            status, answer = abc.site.post("/v3/activities", events)
        assert status == 200
        return len(captured), [
            "again" if {"targetId": None, "reason": "duplicate"} in each["notCounted"] else "new"
            for each in answer["data"]
        ]

    count, told = answered([new[0], abc.deliveries[0]])
    more, told_more = answered([*new, *abc.deliveries])

    assert told == ["new", "again"]
    assert told_more == ["again", "new", "new", *["again"] * 5]
    assert more == count


def test_erasing_empties_what_is_archived_too(abc):
    archive()
    customer = Participation.objects.get().customer

    foreseen = erase_customer(customer=customer, at=abc.site.brand.clock_at + 30 * DAY, dry_run=True, **ACT)
    erasure = erase_customer(customer=customer, at=abc.site.brand.clock_at + 30 * DAY, **ACT)

    assert (foreseen.activities, erasure.activities) == (1, 1)
    assert not ArchivedActivity.objects.exclude(attributes={}).exists()
    assert (restore(), lying()) == (0, [1, 1, 6, 5])  # an erased customer has no new activity
    assert list(all_violations()) == []


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ("UPDATE enrollments_archivedoutcome SET delta = 0 WHERE delta = 1", "progress_is_accounted_for"),
        ("UPDATE enrollments_archivedactivity SET brand_id = %(other)s", "one_brand"),
        ("DELETE FROM enrollments_archivedoutcome", "progress_is_accounted_for"),
    ],
)
def test_check_integrity_looks_into_the_archive(abc, broken, promise):
    archive()
    with connection.cursor() as cursor:
        cursor.execute(broken, {"other": BrandFactory().pk})

    assert {each.check.name for each in all_violations()} == {promise}


def test_command_tells_what_it_did(abc):
    other = BrandFactory(name="Other")
    told = [
        ran("--before", "2026-06-01T00:00:00Z", "--dry-run"),
        ran("--before", "2026-06-01T00:00:00Z", "--brand", other.name),
        ran("--before", "2026-01-06T12:00:00Z"),
        ran("--before", "0"),
        ran("--before", "2026-06-01T00:00:00+05:30"),
        ran("--restore"),
        ran("--before", "1d"),
    ]

    assert told == [
        "Activities to be archived: 6. Older ones that stay: 1.\n",
        "Activities archived: 0. Older ones that stay: 0.\n",
        "Activities archived: 0. Older ones that stay: 0.\n",
        "Activities archived: 6. Older ones that stay: 1.\n",
        "Activities archived: 0. Older ones that stay: 1.\n",
        "Activities restored: 6. Staying in the archive: 0.\n",
        "Activities archived: 6. Older ones that stay: 1.\n",
    ]


def test_nothing_is_restored_for_a_dry_run():
    with pytest.raises(CommandError, match="--dry-run goes with --before"):
        ran("--restore", "--dry-run")


@pytest.mark.parametrize("when", ["yesterday", "2026-06-01T00:00:00", "5x", "999999d"])
def test_command_refuses_what_is_no_instant(when):
    with pytest.raises(CommandError, match="argument --before"):
        ran("--before", when)


def test_interrupted_command_goes_on_when_it_is_run_again(abc, monkeypatch):
    stop = closing_job.Stop()

    def interrupted(**details):
        for moved in archive_activities(**details, at_once=2, is_paced=False):
            stop.is_asked = True
            yield moved

    with monkeypatch.context() as patch:
        patch.setattr(command, "Stop", lambda: stop)
        patch.setattr(command, "archive_activities", interrupted)
        with pytest.raises(CommandError, match=r"Interrupted\. Activities archived: 2\. Run it again") as ended:
            ran("--before", "0")

    assert ended.value.returncode == 130
    assert lying() == [5, 4, 2, 2]
    assert ran("--before", "0") == "Activities archived: 4. Older ones that stay: 1.\n"


def test_command_says_so_when_the_database_fails(abc, monkeypatch):
    def lost(**details):
        yield from islice(archive_activities(**details, at_once=2, is_paced=False), 1)
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(command, "archive_activities", lost)

    with pytest.raises(CommandError, match=r"^Activities archived: 2\. .*server closed.* Run it again\.$"):
        ran("--before", "0")
