"""Changing what a programme gives, in the admin: form, sentences, confirmation, history (domain.md 6 and 7)."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollments.admin import rewarding
from enrollments.enums import Source
from enrollments.operations import change_reward
from rewards.enums import RewardKind
from rewards.models import Reward
from rewards.operations import RewardData
from targets.enums import EvaluationType, TrackingType
from targets.models import Brand, Cycle, ProgrammeChange, TargetGroup
from tests.enrollments.admin_scene import NOW, programme, signed_in, staff
from tests.enrollments.test_admin_editing import CHANGE, VIEW, filled_in, page_of, shown
from tests.factories import own_rewards
from tests.faults import everything

pytestmark = pytest.mark.django_db

REWARD = "rewards.change_reward"
COFFEE = RewardData("Coffee", RewardKind.COUPON)
GENERAL = "100 points (“100 points”)"
STAYS = "What was given stays as it was given, and what was achieved before is not paid again."
AT_CLOSE = "Where the reward is given when a cycle closes, that is what is promised when it closes."
AS_EVER = f"what ABC gives in each cycle without a reward of its own: {GENERAL}"
VOUCHER = {"kind": "COUPON", "name": "Ten off", "value": "10", "payload": '{"voucher": "A-7", "share": 0.10}'}


def anna():
    return signed_in(staff(VIEW, REWARD, username="anna"))


def door(target, /, **named):
    query = "&".join(f"{name}={value}" for name, value in named.items())
    return f"{page_of(target, 'reward')}?{query}"


def opened(client, target, /, **named):
    """The address of the form, and what a browser would send of it."""
    html = shown(client.get(door(target, **named)))
    payload = re.search(r'<textarea name="payload".*?>\n(.*?)</textarea>', html, re.DOTALL)
    return page_of(target, "reward"), filled_in(html) | {"payload": unescape(payload[1])}


def said(html):
    return [unescape(each) for each in re.findall("<li>([^<]*)</li>", html.partition('<ul class="summary">')[2])]


def errors(html):
    return [unescape(each) for each in re.findall(r'errorlist[^>]*"[^>]*><li>(.*?)</li>', html)]


def close(*numbers):
    """The test clock of the brand goes on to where they have closed."""
    Cycle.objects.filter(number__in=numbers).update(closed_at=F("closes_at"), paid_at=F("closes_at"))
    Brand.objects.update(clock_at=Cycle.objects.filter(number=max(numbers)).first().closes_at)


def change(target, reward, **details):
    change_reward(target=target, reward=reward, at=NOW, by="ben", **details)


def promised(**of_what):
    return Reward.objects.filter(retired_at=None, **of_what).values_list("name", "kind", "value", "payload").get()


def levels(target):
    return {each.target_count: each for each in target.target_group.levels.all()}


def test_reward_is_changed_after_a_look_at_what_it_means_and_the_page_tells_who_did_it():
    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)
    before = everything()

    preview = shown(client.post(address, form | VOUCHER))
    untouched = everything()
    page = shown(client.post(address, filled_in(preview) | {"confirm": "x"}, follow=True))

    assert (form["kind"], form["name"], form["value"], form["payload"]) == ("POINTS", "100 points", "100", "")
    assert untouched == before
    assert said(preview) == [
        f"From now on ABC gives a coupon worth 10 (“Ten off”) instead of {GENERAL}.",
        "Cycles with a reward of their own keep it.",
        STAYS,
        AT_CLOSE,
    ]
    assert promised() == ("Ten off", "COUPON", 10, {"voucher": "A-7", "share": Decimal("0.10")})
    record = ProgrammeChange.objects.get()
    assert (record.version, record.at, record.by, record.source, bool(record.request_id)) == (
        2,
        NOW,
        "anna",
        Source.ADMIN,
        True,
    )
    assert "The reward of ABC was changed: see the history below." in page
    assert f"Reward of ABC: {GENERAL} → a coupon worth 10 (“Ten off”)" in unescape(page)


def test_page_of_a_programme_shows_what_is_promised_since_when_and_by_whom():
    milestone = programme(name="ABC", cycles=3)
    streak = programme(name="XYZ", tracking_type=TrackingType.STREAKS, levels=(1, 3), brand=milestone.brand)
    change(streak, None, level=levels(streak)[3])
    five = RewardData("Five", RewardKind.POINTS, Decimal(5))
    for number in (1, 2):
        change(milestone, five, cycle=milestone.target_group.cycles.get(number=number))
    close(1)
    client = anna()

    rows = []
    for target in (milestone, streak):
        table = shown(client.get(page_of(target, "change"))).partition("<h2>Rewards</h2>")[2].partition("</table>")[0]
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("<tr>")[2:]]
        rows.append([[unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in cells])

    assert rows == [
        [
            ["ABC", "100 points", "Points", "100", "1 Jan 2026, 00:00", "–", "Change …"],
            ["ABC in c1", "Five", "Points", "5", "4 Jan 2026, 00:00", "ben", "Has closed"],
            ["ABC in c2", "Five", "Points", "5", "4 Jan 2026, 00:00", "ben", "Change …"],
        ],
        [
            ["XYZ at level XYZ, level 1", "100 points", "Points", "100", "1 Jan 2026, 00:00", "–", "Change …"],
            ["XYZ at level XYZ, level 3", "Nothing", "Change …"],
        ],
    ]


def test_cycle_gets_a_reward_of_its_own_and_gives_it_up_again():
    target, client = programme(name="ABC"), anna()
    close(1)
    html = shown(client.get(door(target, own=1)))
    address, form = opened(client, target, own=1)
    typed = {"target": str(target.pk), "cycle": "3"} | VOUCHER

    preview = shown(client.post(address, form | typed))
    client.post(address, filled_in(preview) | {"confirm": "x"})
    given = promised(cycle__number=3)
    address, form = opened(client, target, target=target.pk, cycle=3)
    taken_away = shown(client.post(address, form | {"kind": ""}))
    client.post(address, filled_in(taken_away) | {"confirm": "x"})

    assert re.findall(r"<option[^>]*>(c\d)</option>", html) == ["c2", "c3", "c4", "c5"]
    assert "Without a reward of its own the cycle gives what the target gives." in html
    assert said(preview) == [
        f"From now on ABC in c3 gives a coupon worth 10 (“Ten off”) instead of {AS_EVER}.",
        STAYS,
        AT_CLOSE,
    ]
    assert given[0] == "Ten off"
    assert form["payload"] == '{"share": 0.10, "voucher": "A-7"}'
    assert said(taken_away)[0] == f"From now on ABC in c3 gives no more a coupon worth 10 (“Ten off”), but {AS_EVER}."
    assert promised() == ("100 points", "POINTS", 100, {})


def test_level_of_a_streak_gives_nothing_when_nothing_is_chosen():
    target, client = programme(name="XYZ", tracking_type=TrackingType.STREAKS, levels=(1, 3)), anna()
    address, form = opened(client, target, target=target.pk, level=levels(target)[3].pk)

    preview = shown(client.post(address, form | {"kind": ""}))
    client.post(address, filled_in(preview) | {"confirm": "x"})

    assert said(preview) == [f"From now on XYZ at level XYZ, level 3 gives nothing instead of {GENERAL}.", STAYS]
    assert Reward.objects.get(retired_at=None).level == levels(target)[1]
    assert f"{page_of(target, 'reward')}?own=1" not in shown(client.get(page_of(target, "change")))


def test_programme_of_customers_own_calendars_gives_its_cycles_rewards_too():
    target, client = programme(name="ABC", window=EvaluationType.CYCLIC_WINDOW), anna()
    address, form = opened(client, target, own=1)

    preview = shown(client.post(address, form | {"target": str(target.pk), "cycle": "1"} | VOUCHER))
    done = client.post(address, filled_in(preview) | {"confirm": "x"})

    assert (done.status_code, promised(cycle__number=1)[0]) == (302, "Ten off")


REFUSED = {
    "points without a number": ({"value": ""}, "Say how many points."),
    "value that is no number": ({"value": "much"}, "A number is expected, such as 49.95."),
    "no name": ({"name": ""}, "Give the reward a name: it is kept on whatever is given."),
    "unheard-of kind": ({"kind": "CAR"}, "Select a valid choice. CAR is not one of the available choices."),
    "NUL in the payload": (
        {"payload": '{"voucher": "A\\u0000"}'},
        "The text has a text with a character that no text may have.",
    ),
    "raw NUL in the payload": ({"payload": '{"voucher": "\0"}'}, "Null characters are not allowed."),
    "payload that is a list": (
        {"payload": "[1]"},
        'Write a JSON object, such as {"voucher": "A-7"}, or leave it empty.',
    ),
    "large payload": (
        {"payload": f'{{"a": "{"x" * 10_000}"}}'},
        "A payload has at most 10,000 characters of JSON: each grant keeps a copy.",
    ),
}


@pytest.mark.parametrize("button", [{}, {"confirm": "x"}])
@pytest.mark.parametrize("case", REFUSED)
def test_refusal_stands_beside_its_field_and_nothing_changes(case, button):
    typed, message = REFUSED[case]
    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)
    before = everything()

    html = shown(client.post(address, form | typed | button))

    assert errors(html) == [message]
    assert everything() == before


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"own": "1", "cycle": "2"}, "Cycle 'c2' has closed: it pays nothing more."),
        ({"own": "1", "cycle": "6"}, "Select a valid choice. 6 is not one of the available choices."),
        ({"own": "1"}, "This field is required."),
        ({"cycle": "2"}, "Cycle 'c2' has closed: it pays nothing more."),
    ],
)
def test_cycle_that_pays_no_more_or_is_none_is_refused(named, message):
    target, client = programme(name="ABC"), anna()
    form = {"seen": "1", "target": str(target.pk)} | VOUCHER | named
    close(2)
    before = everything()

    pages = [shown(client.post(page_of(target, "reward"), form | button)) for button in ({}, {"confirm": "x"})]

    assert [errors(html) for html in pages] == [[message]] * 2
    assert everything() == before


def test_nothing_typed_changes_nothing_and_going_back_keeps_what_was_typed():
    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)

    nothing = shown(client.post(address, form))
    again = shown(client.post(address, form | {"name": "Half typed", "again": "x"}))

    assert "Nothing is changed yet." in nothing
    assert filled_in(again)["name"] == "Half typed"
    assert TargetGroup.objects.get().version == 1


def test_confirmation_of_what_no_longer_stands_is_refused():
    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)
    preview = filled_in(shown(client.post(address, form | VOUCHER)))
    change(target, COFFEE)
    before = everything()

    html = shown(client.post(address, preview | {"confirm": "x"}))

    assert "Somebody else has changed this programme meanwhile" in html
    assert (filled_in(html)["name"], filled_in(html)["seen"]) == ("Coffee", "2")
    assert everything() == before


def test_change_that_comes_between_look_and_write_is_refused(monkeypatch):
    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)

    def overtaken(**details):
        change(target, COFFEE)
        return change_reward(**details)

    monkeypatch.setattr(rewarding, "change_reward", overtaken)

    html = shown(client.post(address, form | VOUCHER | {"confirm": "x"}))

    assert (filled_in(html)["name"], filled_in(html)["seen"], promised()[0]) == ("Coffee", "2", "Coffee")


def test_busy_database_is_said_and_nothing_changes(monkeypatch):
    def busy(**details):
        raise OperationalError("canceling statement due to lock timeout")

    target, client = programme(name="ABC"), anna()
    address, form = opened(client, target, target=target.pk)
    monkeypatch.setattr(rewarding, "change_reward", busy)
    before = everything()

    html = shown(client.post(address, form | VOUCHER | {"confirm": "x"}))

    assert "canceling statement due to lock timeout" in html
    assert (filled_in(html)["name"], everything()) == ("Ten off", before)


def test_names_are_shown_as_text_whatever_is_in_them():
    script = "<script>alert(1)</script>"
    target = programme(name=script)
    Reward.objects.update(name=script)
    Cycle.objects.filter(number=3).update(ref_code=script)
    client = anna()

    address, form = opened(client, target, own=1)
    pages = [shown(client.get(door(target, own=1)))]
    typed = {"target": str(target.pk), "cycle": "3"} | VOUCHER | {"name": f"{script}2"}
    pages.append(shown(client.post(address, form | typed)))
    pages.append(shown(client.post(address, filled_in(pages[1]) | {"confirm": "x"}, follow=True)))
    pages.append(shown(client.get(door(target, target=target.pk, cycle=3))))

    assert [script in page for page in pages] == [False] * 4
    assert ["&lt;script&gt;" in page for page in pages] == [True] * 4
    assert promised(cycle__number=3)[0] == f"{script}2"


@pytest.mark.parametrize("cycles", [5, 100])
def test_number_of_statements_does_not_depend_on_cycles(cycles):
    target, client = programme(name="ABC", cycles=cycles), anna()
    own_rewards(target)
    address, form = opened(client, target, own=1)
    typed = form | {"target": str(target.pk), "cycle": "3"} | VOUCHER
    client.get(page_of(target, "change"))  # the types of content are looked up once in a process

    counts = []
    for act in (
        lambda: client.get(door(target, own=1)),
        lambda: client.post(address, typed),
        lambda: client.post(address, typed | {"confirm": "x"}),
        lambda: client.get(page_of(target, "change")),
    ):
        with CaptureQueriesContext(connection) as queries:
            act()
        counts.append(len(queries))

    assert counts == [8, 13, 32, 11]


@pytest.mark.parametrize(
    ("permissions", "status", "confirmed"),
    [
        (None, 302, 302),
        ((), 403, 403),
        ((VIEW,), 403, 403),
        ((REWARD,), 403, 403),
        ((VIEW, CHANGE), 403, 403),
        ((VIEW, REWARD), 200, 302),
    ],
)
def test_who_may_change_rewards(permissions, status, confirmed):
    target = programme(name="ABC")
    address, form = opened(anna(), target, target=target.pk)
    client = Client() if permissions is None else signed_in(staff(*permissions))

    page = client.get(page_of(target, "change"))
    seen, posted = client.get(door(target, target=target.pk)), client.post(address, form | VOUCHER | {"confirm": "x"})

    assert (seen.status_code, posted.status_code) == (status, confirmed)
    assert (page_of(target, "reward") in page.content.decode()) == (status == 200)
    assert promised()[0] == ("Ten off" if status == 200 else "100 points")


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"target": 0},
        {"target": "x"},
        {"target": "of another"},
        {"cycle": 6},
        {"cycle": ""},
        {"level": 1},
        {"target": "streak"},
        {"target": "streak", "cycle": 1},
        {"target": "streak", "own": 1},
        {"target": "streak", "level": 0},
    ],
)
def test_place_that_is_not_there_is_not_found(named):
    target, other = programme(name="ABC"), programme(name="Other")
    streak = programme(name="XYZ", tracking_type=TrackingType.STREAKS, levels=(1,))
    asked = streak if named.get("target") == "streak" else target
    ids = {"of another": other.pk, "streak": streak.pk}
    wanted = {"target": target.pk} | {name: ids.get(value, value) for name, value in named.items()} if named else {}
    client = anna()

    got = client.get(door(asked, **wanted))
    posted = client.post(page_of(asked, "reward"), wanted | VOUCHER | {"seen": "1", "confirm": "x"})

    assert (got.status_code, posted.status_code) == (404, 404)
    assert TargetGroup.objects.filter(version=1).count() == 3


def test_programme_without_a_cycle_that_may_pay_offers_none_a_reward_of_its_own():
    target, client = programme(name="ABC"), anna()
    close(1, 2, 3, 4, 5)

    page = shown(client.get(page_of(target, "change")))

    assert f"{page_of(target, 'reward')}?own=1" not in page
    assert client.get(door(target, own=1)).status_code == 404
    assert client.get(door(target).replace(f"/{target.target_group_id}/", "/0/")).status_code == 404
