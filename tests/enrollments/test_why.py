"""“Why?” in states that last a moment, or that take more than the published cases."""

from datetime import timedelta

import pytest

from enrollments.operations import change_reward, close_cycles, closing
from enrollments.standing import standings
from enrollments.why import known_of, why_cycle
from targets.enums import Allocation
from targets.models import Cycle
from tests.enrollments.admin_scene import enrolled, programme

pytestmark = pytest.mark.django_db


def sentence(participation, number, at):
    (standing,) = standings([participation], at)
    (known,) = known_of([standing], at)
    return next(why_cycle(standing, line, known).text for line in standing.cycles if line.cycle.number == number)


def test_what_was_promised_when_the_cycle_closed_will_be_granted_whatever_is_changed_while_it_is_paid():
    target = programme(allocation=Allocation.PERIOD_END)
    participation = enrolled(target, achieved=True)
    cycle = Cycle.objects.get(target_group=target.target_group, number=1)
    closing._bar(cycle, cycle.closes_at)
    later = cycle.closes_at + timedelta(minutes=1)
    change_reward(target=target, reward=None, at=later, by="marketing")

    before = sentence(participation, 1, later)
    list(close_cycles(brand=target.brand, at=later))

    assert before == "Will be granted: 1 of 1 reached, and the rewards of the cycle are being given."
    assert sentence(participation, 1, later).startswith("Granted on ")
