"""Whatever happens between a plan and carrying it out: who has not changed leaves as alone, the rest not at all."""

import csv
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from enrollments.enums import Effective, Source
from enrollments.operations import ActivityData, cancel_leave, enroll, record_activity, unenroll
from targets.enums import Allocation, TrackingType
from targets.models import Customer, Target
from tests.enrollments.test_commands import run, run_command
from tests.factories import START, BrandFactory, CustomerFactory, make_programme
from tests.properties.test_leaving_together import taken_back

DAY = timedelta(days=1)
BY = {"by": "crowd", "source": Source.COMMAND, "reason": "over"}


class Scene:
    """One customer of a programme that asks for two purchases, on its third day unless the clock goes on."""

    def __init__(self, target: Target, customer: Customer) -> None:
        self.target, self.customer = target, customer
        self.who = {"target": target, "customer": customer}

    @property
    def act(self) -> dict[str, object]:
        return {**self.who, "at": self.target.brand.clock_at, "by": "hand", "source": Source.API}

    def join(self) -> None:
        enroll(**self.act)

    def leave(self) -> None:
        unenroll(**self.act)

    def schedule(self) -> None:
        unenroll(**self.act, effective=Effective.END_OF_CYCLE)

    def cancel(self) -> None:
        cancel_leave(**self.act)

    def buy(self) -> None:
        at = self.target.brand.clock_at
        activity = ActivityData(f"{self.customer.pk}-{at}", "purchase", self.customer.customer_id, at)
        record_activity(brand=self.target.brand, activity=activity, at=at)

    def buy_twice(self) -> None:
        self.buy()
        activity = ActivityData(f"{self.customer.pk}", "purchase", self.customer.customer_id, START)
        record_activity(brand=self.target.brand, activity=activity, at=self.target.brand.clock_at)


class Story(NamedTuple):
    """What a customer does before and after the plan. `leaves`: whether the plan says that he will leave.

    `is_changed`: whether his leave means something else after that. `scheduled`: the same two where the plan is for the
    end of the cycle. `reaches`: he reaches the value, which says nothing of a milestone's cycle that stays his.
    """

    before: tuple[Callable[[Scene], None], ...] = ()
    after: tuple[Callable[[Scene], None], ...] = ()
    leaves: bool = True
    is_changed: bool = False
    scheduled: tuple[bool, bool] | None = None
    reaches: bool = False

    def holds(self, effective: str, *, is_streak: bool) -> tuple[bool, bool]:
        """(whether he leaves by the plan, whether he is told to have changed)"""
        leaves, is_changed = self.leaves, self.is_changed
        if effective == Effective.END_OF_CYCLE and self.scheduled:
            leaves, is_changed = self.scheduled
        is_changed |= self.reaches and (effective == Effective.NOW or is_streak)
        return leaves and not is_changed, is_changed


S = Scene
STORIES = {
    "stays": Story((S.join,)),
    "buys too little": Story((S.join,), (S.buy,)),
    "reaches the value": Story((S.join,), (S.buy_twice,), reaches=True),
    "had reached it": Story((S.join, S.buy_twice)),
    "buys the rest": Story((S.join, S.buy), (S.buy_twice,), reaches=True),
    "leaves": Story((S.join,), (S.leave,), is_changed=True),
    "leaves and comes back": Story((S.join,), (S.leave, S.join), is_changed=True),
    "schedules a leave": Story((S.join,), (S.schedule,), is_changed=True),
    "thinks better of it": Story((S.join,), (S.schedule, S.cancel)),
    "had scheduled it": Story((S.join, S.schedule), scheduled=(False, False)),
    "had scheduled it and cancels": Story((S.join, S.schedule), (S.cancel,), is_changed=True, scheduled=(False, True)),
    "had scheduled it and leaves": Story((S.join, S.schedule), (S.leave,), is_changed=True, scheduled=(False, False)),
    "never joins": Story(leaves=False),
    "joins": Story((), (S.join,), leaves=False, is_changed=True),
    "had left": Story((S.join, S.leave), leaves=False),
    "had left and comes back": Story((S.join, S.leave), (S.join,), leaves=False, is_changed=True),
}


@pytest.mark.django_db
@given(data=st.data())
@settings(
    max_examples=6, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)
def test_just_who_has_not_changed_since_the_plan_leaves_by_it_as_he_would_alone(data, tmp_path_factory):
    names = data.draw(st.lists(st.sampled_from(sorted(STORIES)), min_size=8, max_size=12))
    effective = data.draw(st.sampled_from(Effective.values))
    kind = data.draw(st.sampled_from((TrackingType.DEFAULT, TrackingType.STREAKS)))
    path = tmp_path_factory.mktemp("plan") / "plan.csv"
    with transaction.atomic():
        told_and_expected = play(names, effective, kind, path)
        transaction.set_rollback(True)

    (told, after), (expected, alone) = told_and_expected
    assert told == expected
    assert after == alone


def play(names: list[str], effective: str, kind: TrackingType, path: Path):
    """(who has left and who has changed, all that is stored) by the plan, and one by one."""
    is_streak = kind == TrackingType.STREAKS
    target = make_programme(
        brand=BrandFactory(sandbox=True, clock_at=START + 2 * DAY),
        tracking_type=kind,
        target_value=2,
        levels=(1, 3) if is_streak else (),
        allocation=Allocation.IMMEDIATE if is_streak else Allocation.PERIOD_END,
    )
    scenes = [Scene(target, CustomerFactory(brand=target.brand)) for _ in names]
    numbers = [str(each.customer.customer_id) for each in scenes]
    for name, scene in zip(names, scenes, strict=True):
        for step in STORIES[name].before:
            step(scene)
    run(target, f"--plan={path}", f"--effective={effective}", "--reason=over", "--customer", *numbers)
    target.brand.clock_at += timedelta(hours=20)
    target.brand.save()
    for name, scene in zip(names, scenes, strict=True):
        for step in STORIES[name].after:
            step(scene)

    batch_id = path.read_text().split("\nbatch,")[1][:36]
    holds = [STORIES[name].holds(effective, is_streak=is_streak) for name in names]
    details = {**BY, "at": target.brand.clock_at, "effective": Effective(effective), "batch_id": batch_id}
    leaving = [scene for scene, (leaves, _) in zip(scenes, holds, strict=True) if leaves]
    alone = taken_back(target, lambda: [unenroll(**scene.who, **details) for scene in leaving] and {})
    after = taken_back(target, lambda: run_command(f"--apply={path}", "--format=csv", "--by=crowd"))
    rows = csv.DictReader(StringIO(after.told[1]))
    told = [(each["receiptId"] != "" and each["message"] == "", each["outcome"] == "changed") for each in rows]
    return (told, after[1:]), (holds, alone[1:])
