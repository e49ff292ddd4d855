"""The demo plays the published cases over real HTTP, and notices when an outcome is not the right one."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from enrollments.demo.cases import CASES
from enrollments.demo.playing import CallFailed, Player
from enrollments.demo.report import print_story
from targets.enums import SecretForm
from targets.operations import create_brand


@pytest.fixture
def player(live_server):
    made = create_brand(
        name="Demo",
        time_zone="Asia/Kolkata",
        sandbox=True,
        username="demo-api",
        secret_form=SecretForm.PLAIN,
        at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    player = Player(live_server.url, "demo-api", made.secret)
    yield player
    player.session.close()


def story_of(player):
    out = io.StringIO()
    print_story(Console(file=out, width=100), player.outcomes)
    return out.getvalue()


def test_every_published_case_has_its_right_outcome_and_a_wrong_one_is_named(player):
    steps = list(player.play())

    assert [outcome.differences() for outcome in player.outcomes] == [[]] * len(CASES)
    assert len(steps) == len(player.steps())
    assert "12 of 12 outcomes are as published." in story_of(player)

    outcome = player.outcomes[2]
    outcome.case = replace(outcome.case, granted=("c1",))  # an outcome that is not the right one is named

    assert outcome.differences() == [
        "rewards given by the time of leaving: [], not ['c1']",
        "rewards given in the end: [], not ['c1']",
    ]
    assert "11 of 12 outcomes are as published." in story_of(player)


def test_wrong_credentials_end_the_story_with_what_the_site_said(player):
    player.session.auth = ("demo-api", "wrong")

    with pytest.raises(CallFailed, match=r"PUT /v3/clock: 401 .*4010"):
        next(player.play())
