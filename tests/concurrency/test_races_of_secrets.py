"""Rotating the same secret twice at once: one new secret, and the former one keeps its grace."""

from datetime import timedelta

from targets.models import ApiUser
from targets.operations import rotate_secret
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import START, answer
from tests.factories import ApiUserFactory

BEFORE_WRITING = 'UPDATE "targets_apiuser"'
REFUSED = 300004


def rotated(username: str) -> str:
    return rotate_secret(username=username, grace=timedelta(days=1), at=START).secret and "rotated"


def test_secret_rotated_twice_at_once_is_rotated_once(race: Race) -> None:
    def one_round() -> tuple[object, object, bool]:
        before = ApiUserFactory()
        username = before.user.username
        first, second = race.run(lambda: rotated(username), lambda: rotated(username))
        stored = ApiUser.objects.get(pk=before.pk)
        return answer(first), answer(second), stored.former_digest == before.secret_digest

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_WRITING, BEFORE_WRITING))
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_WRITING, BEFORE_WRITING))

    assert unguarded == {("rotated", "rotated", True)}  # one of the two has been told a secret that is none
    assert guarded == {("rotated", REFUSED, True), (REFUSED, "rotated", True)}
