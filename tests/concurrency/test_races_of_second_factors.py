"""One code sent twice at once signs in once; one person in two windows ends with one key."""

from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from targets.operations import begin_second_factor, check_second_factor
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.config.second_factor_scene import code_of, with_second_factor
from tests.factories import UserFactory

RECOVERY = "abcdefg2"


def test_code_sent_twice_at_once_is_right_once(race: Race) -> None:
    def one_round() -> tuple[bool, ...]:
        user = UserFactory()
        code = code_of(with_second_factor(user))
        answers = race.run(*(lambda: check_second_factor(user, code).is_right,) * 2)
        return tuple(sorted(bool(each) for each in answers))

    stops = ('UPDATE "otp_totp_totpdevice"',) * 2
    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    assert unguarded == {(True, True)}
    assert guarded == {(False, True)}


def test_recovery_code_sent_twice_at_once_is_right_once(race: Race) -> None:
    def one_round() -> tuple[tuple[bool, ...], int]:
        user = UserFactory()
        with_second_factor(user, RECOVERY)
        answers = race.run(*(lambda: check_second_factor(user, RECOVERY, is_recovery=True).is_right,) * 2)
        return tuple(sorted(bool(each) for each in answers)), StaticToken.objects.filter(device__user=user).count()

    stops = ('DELETE FROM "otp_static_statictoken"',) * 2
    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    assert unguarded == {((True, True), 0)}
    assert guarded == {((False, True), 0)}


def test_set_up_begun_twice_at_once_leaves_one_key(race: Race) -> None:
    def one_round() -> int:
        user = UserFactory()
        race.run(*(lambda: begin_second_factor(user).pk,) * 2)
        return TOTPDevice.objects.filter(user=user).count()

    stops = ('INSERT INTO "otp_totp_totpdevice"',) * 2
    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    assert (unguarded, guarded) == ({2}, {1})
