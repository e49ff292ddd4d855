"""Making a brand twice at once, and setting the test clock of a sandbox twice at once (api.md 3)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from enrollments.operations.clock import move_clock
from targets.enums import SecretForm
from targets.models import Brand
from targets.operations import create_brand
from tests.concurrency.racing import FEWER_ROUNDS, FORWARD_ONLY, UNGUARDED_ROUNDS, Race, without_constraints
from tests.concurrency.scenes import START, answer, enrolled, sandbox_at
from tests.factories import make_programme

BEFORE_MAKING = 'INSERT INTO "targets_brand"'
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
    overtaken = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_SETTING, ""))
    overtaking = race.rounds(FEWER_ROUNDS, one_round, stops=("", BEFORE_SETTING))

    assert unguarded == {(SOON, LATER, SOON)}
    assert overtaken | overtaking == {(SOON, LATER, LATER)}


def makes_brand(name: str, username: str) -> Callable[[], object]:
    """Answers the brand's name."""
    return lambda: (
        create_brand(
            name=name, time_zone="UTC", sandbox=False, username=username, secret_form=SecretForm.PLAIN, at=START
        ).brand.name
    )


def test_brand_made_twice_is_made_once_and_the_name_is_taken(race: Race) -> None:
    numbers = count(1)

    def one_round() -> tuple[object, object, int]:
        number = next(numbers)
        first, second = race.run(makes_brand("ABC", f"a{number}"), makes_brand("abc", f"b{number}"))
        made = Brand.objects.filter(name__iexact="abc")
        outcome = answer(first), answer(second), len(made)
        for brand in made:  # out of the next round's way
            Brand.objects.filter(pk=brand.pk).update(name=f"Brand {brand.pk}")
        return outcome

    with without_constraints("targets_brand", "brand_name_unique"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_MAKING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_MAKING, BEFORE_MAKING))

    assert unguarded == {("ABC", "abc", 2)}
    assert guarded == {("ABC", 310069, 1), (310069, "abc", 1)}
