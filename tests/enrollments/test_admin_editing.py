"""Editing a programme in the admin: form, preview, confirmation, history."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.editing import CycleEdit, ProgrammeEdit
from enrollments.enums import Source
from enrollments.operations import edit_programme
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.models import Brand, Cycle, ProgrammeChange, Target, TargetGroup, TargetValue
from tests.enrollments.admin_scene import NOW, programme, signed_in, staff
from tests.factories import START
from tests.faults import everything

pytestmark = pytest.mark.django_db

NAMED_AS_THE_FIRST = {"ref_code": "C1", "first_day": "2026-07-01", "last_day": "2026-07-02", "value-T": "1"}
VIEW, CHANGE = "targets.view_targetgroup", "targets.change_targetgroup"
DAY = timedelta(days=1)


def page_of(target, name="edit"):
    return f"/admin/targets/targetgroup/{target.target_group_id}/{name}/"


def anna():
    return signed_in(staff(VIEW, CHANGE, username="anna"))


def filled_in(html):
    """What a browser would send of the form as it stands."""
    typed = {}
    for tag in re.findall(r"<input [^>]*>", html):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        is_sent = attributes["type"] != "submit" and (attributes["type"] != "checkbox" or " checked" in tag)
        if "name" in attributes and attributes["name"] != "csrfmiddlewaretoken" and is_sent:
            typed[attributes["name"]] = unescape(
                attributes.get("value", "on" if attributes["type"] == "checkbox" else "")
            )
    for name, options in re.findall(r'<select name="([^"]*)".*?>(.*?)</select>', html, re.DOTALL):
        typed[name] = re.findall(r'value="([^"]*)" selected', options)[0]
    return typed


def sentences(html):
    """The preview: what, before, after."""
    rows = re.findall(
        r'<tr><th scope="row">(.*?)</th><td class="text">(.*?)</td><td class="text">(.*?)</td></tr>', html
    )
    return [tuple(map(unescape, row)) for row in rows]


def shown(response):
    assert response.status_code == 200
    return response.content.decode()


def test_programme_is_edited_after_a_look_at_what_changes_and_its_page_tells_who_did_it():
    target = programme(name="ABC", target_value=3)
    client = anna()
    form = filled_in(shown(client.get(page_of(target))))
    before = everything()
    typed = {
        "name": "ABC 2",
        "late_days": "2",
        "cycle-1-last_day": "2026-01-20",
        "cycle-2-first_day": "2026-01-25",
        f"cycle-3-value-{target.pk}": "4.5",
        f"cycle-3-reward-{target.pk}": "PERIOD_END",
        "new-1-ref_code": "c6",
        "new-1-first_day": "2026-06-01",
        "new-1-last_day": "2026-06-30",
        f"new-1-value-{target.pk}": "7",
    }

    preview = shown(client.post(page_of(target), form | typed))
    untouched = everything()
    page = shown(client.post(page_of(target), filled_in(preview) | {"confirm": "x"}, follow=True))

    assert untouched == before
    assert sentences(preview)[:5] == [
        ("Name of the programme", "ABC", "ABC 2"),
        ("Late days of new cycles", "0", "2"),
        ("Last day of c1", "2026-01-30", "2026-01-20"),
        ("First day of c2", "2026-01-31", "2026-01-25"),
        ("Late days of c2", "0", "2"),
    ]
    assert sentences(preview)[-4:] == [
        ("Value of ABC in c3", "3", "4.5"),
        ("Reward of ABC in c3", "as soon as the target is reached", "when the cycle closes"),
        ("New cycle c6", "–", "2026-06-01 to 2026-06-30"),
        ("Value of ABC in c6", "–", "7, reward as soon as the target is reached"),
    ]
    group = TargetGroup.objects.get()
    assert (group.name, group.cycle_count, group.version) == ("ABC 2", 6, 2)
    assert Cycle.objects.get(number=1).ends_at == START + 20 * DAY
    assert TargetValue.objects.filter(cycle__number=3).values_list("value", "allocation").get() == (
        Decimal("4.5"),
        Allocation.PERIOD_END,
    )
    change = ProgrammeChange.objects.get()
    assert (change.at, change.by, change.source, bool(change.request_id)) == (NOW, "anna", Source.ADMIN, True)
    assert "Last day of c1: 2026-01-30 → 2026-01-20" in page
    assert '<td>anna <span class="quiet">admin</span></td>' in page


def test_what_may_not_change_is_text_with_the_reason():
    target = programme(name="ABC")
    Brand.objects.update(clock_at=START + 35 * DAY)

    html = shown(anna().get(page_of(target)))

    names = set(filled_in(html))
    assert {name for name in names if name.startswith(("cycle-1-", "cycle-2-"))} == {"cycle-2-last_day"}
    assert {name for name in names if name.startswith("cycle-3-")} == {
        "cycle-3-first_day",
        "cycle-3-last_day",
        "cycle-3-late_days",
        f"cycle-3-value-{target.pk}",
        f"cycle-3-reward-{target.pk}",
    }
    assert (html.count("Has ended: it stays as it was."), html.count("Has begun: only its last day can move.")) == (
        1,
        1,
    )


def test_streak_offers_no_allocation_and_customers_own_calendars_no_dates():
    streak = programme(name="XYZ", tracking_type=TrackingType.STREAKS, levels=(2,))
    own = programme(name="Own", brand=streak.brand, window=EvaluationType.CYCLIC_WINDOW)
    client = anna()

    of_streak, of_own = (filled_in(shown(client.get(page_of(each)))) for each in (streak, own))
    renamed = client.post(page_of(own), of_own | {"name": "Renamed", "confirm": "x"})

    assert not [name for name in of_streak if "-reward-" in name]
    assert set(of_own) == {"seen", "name", "description"} | {
        f"target-{own.pk}-{each}" for each in ("name", "description", "is_active")
    }
    assert renamed.status_code == 302
    assert TargetGroup.objects.filter(name="Renamed").exists()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"cycle-2-first_day": "2026-01-30"}, "would begin before"),
        ({"cycle-2-first_day": "2026-01-04"}, "This lies in the past"),
        ({"cycle-2-first_day": ""}, "A day is needed."),
        ({"cycle-2-last_day": "2026-02-30"}, "Enter a valid date."),
        ({"cycle-2-value-T": "0"}, "A target value is greater than 0"),
        ({"target-T-name": "Taken", "confirm": "x"}, "already has a target of this name"),
        ({"new-2-ref_code": "c6"}, "A new cycle needs this."),
        (
            {f"new-2-{name}": value for name, value in NAMED_AS_THE_FIRST.items()},
            "already has a period",
        ),
    ],
)
def test_refusal_stands_beside_its_field_and_nothing_changes(typed, message):
    target = programme(name="ABC")
    programme(name="taken", brand=target.brand)
    client = anna()
    form = filled_in(shown(client.get(page_of(target))))
    before = everything()

    html = shown(client.post(page_of(target), form | {n.replace("-T", f"-{target.pk}"): v for n, v in typed.items()}))

    assert message in html
    assert "Nothing was changed" in html
    assert everything() == before


def test_nothing_typed_changes_nothing_and_going_back_keeps_what_was_typed():
    target = programme(name="ABC")
    client = anna()
    form = filled_in(shown(client.get(page_of(target))))

    nothing = shown(client.post(page_of(target), form))
    again = shown(client.post(page_of(target), form | {"name": "Half typed", "again": "x"}))

    assert sentences(nothing) == []
    assert "Nothing is changed yet." in nothing
    assert filled_in(again)["name"] == "Half typed"
    assert TargetGroup.objects.get().version == 1


@pytest.mark.parametrize("meanwhile", ["somebody else edits", "a cycle begins"])
def test_confirmation_of_what_no_longer_stands_is_refused(meanwhile):
    target = programme(name="ABC")
    client = anna()
    form = filled_in(shown(client.get(page_of(target)))) | {"name": "Mine"}
    preview = filled_in(shown(client.post(page_of(target), form)))
    if meanwhile == "a cycle begins":
        Brand.objects.update(clock_at=START + 30 * DAY)
    else:
        edit = ProgrammeEdit(cycles={5: CycleEdit(ends_at=START + 160 * DAY)})
        edit_programme(target_group=target.target_group, edit=edit, at=NOW, by="ben", source=Source.ADMIN)
    before = everything()

    html = shown(client.post(page_of(target), preview | {"confirm": "x"}))

    assert "has gone on since this page was opened" in html
    assert filled_in(html)["name"] == "ABC"
    assert everything() == before


def test_names_are_shown_as_text_whatever_is_in_them():
    script = "<script>alert(1)</script>"
    target = programme(name=script)
    Target.objects.update(name=f"{script}2")
    Cycle.objects.filter(number=2).update(ref_code=script)
    client = anna()
    form = filled_in(shown(client.get(page_of(target))))

    pages = [shown(client.get(page_of(target)))]
    pages.append(shown(client.post(page_of(target), form | {"description": script, "cycle-2-last_day": "2026-02-20"})))
    pages.append(shown(client.post(page_of(target), filled_in(pages[1]) | {"confirm": "x"}, follow=True)))

    assert [script in page for page in pages] == [False, False, False]
    assert ["&lt;script&gt;" in page for page in pages] == [True, True, True]
    assert TargetGroup.objects.get().description == script


@pytest.mark.parametrize("cycles", [5, 100])
def test_number_of_statements_does_not_depend_on_cycles(cycles):
    target = programme(name="ABC", cycles=cycles)
    client = anna()
    form = filled_in(shown(client.get(page_of(target))))
    client.get(page_of(target, "change"))  # content types are remembered from here on

    with CaptureQueriesContext(connection) as opened:
        client.get(page_of(target))
    with CaptureQueriesContext(connection) as previewed:
        client.post(page_of(target), form | {"late_days": "3"})
    with CaptureQueriesContext(connection) as read:
        client.get(page_of(target, "change"))

    assert (len(opened), len(previewed), len(read)) == (10, 14, 11)


@pytest.mark.parametrize(
    ("permissions", "status", "has_button"),
    [((VIEW,), 403, False), ((CHANGE,), 200, True), ((VIEW, CHANGE), 200, True)],
)
def test_who_may_edit(permissions, status, has_button):
    target = programme(name="ABC")
    client = signed_in(staff(*permissions))

    opened, posted = client.get(page_of(target)), client.post(page_of(target), {"seen": "1:1:0", "confirm": "x"})
    button = page_of(target) in shown(client.get(page_of(target, "change")))

    assert (opened.status_code, posted.status_code, button) == (status, status, has_button)
    assert TargetGroup.objects.get().version == 1


def test_programme_that_is_not_there_is_not_found():
    target = programme(name="ABC")

    assert anna().get(page_of(target).replace(str(target.target_group_id), "0")).status_code == 404
