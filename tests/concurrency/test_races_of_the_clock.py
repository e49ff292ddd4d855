"""Setting the test clock of a sandbox twice at once (api.md 3)."""

from datetime import datetime, timedelta

from enrollments.operations.closing import move_clock
from targets.models import Brand
from tests.concurrency.racing import FORWARD_ONLY, ROUNDS, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import START, answer, enrolled, sandbox_at
from tests.factories import make_programme

BEFORE_SETTING = 'UPDATE "targets_brand"'
SOON, LATER = START + timedelta(days=35), START + timedelta(days=70)  # in the second and the third cycle


def test_clock_set_twice_never_goes_back(race: Race) -> None:
    def one_round() -> tuple[object, object, datetime]:
        brand = sandbox_at(START)
        enrolled(make_programme(brand=brand), at=START)
        first, second = race.run(
            lambda: move_clock(brand=brand, at=START, to=SOON),
            lambda: move_clock(brand=brand, at=START, to=LATER),
        )
        return answer(first), answer(second), Brand.objects.get(pk=brand.pk).clock_at

    with race.without(FORWARD_ONLY):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_SETTING, ""), ahead=0)
    overtaken = race.rounds(ROUNDS // 2, one_round, stops=(BEFORE_SETTING, ""))
    overtaking = race.rounds(ROUNDS // 2, one_round, stops=("", BEFORE_SETTING))

    assert unguarded == {(SOON, LATER, SOON)}
    assert overtaken | overtaking == {(SOON, LATER, LATER), (300004, LATER, LATER)}
