"""Setting up, checking and removing the second factor of a person: one authenticator app, and recovery codes.

django-otp makes the keys and checks the codes, by its own clock. It slows guessing down, twice as long after each
wrong code, for the app and for the recovery codes apart; and it takes no code twice. Devices are audited as they are
saved (`watch` in targets.apps), without their keys.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from targets.callers import current_caller
from targets.errors import InvalidInput
from targets.second_factor import has_second_factor

APP, RECOVERY = "authenticator app", "recovery codes"
HOW_MANY_RECOVERY_CODES = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """What became of a code. With `wait_until` it was not looked at: too many were wrong before."""

    is_right: bool
    wait_until: datetime | None = None


@dataclass(frozen=True)
class Confirmed:
    """`recovery_codes` can be shown this once; there are none unless the code was right."""

    checked: Checked
    recovery_codes: tuple[str, ...] = ()


def begin_second_factor(user: User) -> TOTPDevice:
    """Make a new key, which counts for nothing until it is confirmed, and forget those that never were.

    Raises `InvalidInput` if he has a second factor; then nothing is changed.
    """
    with transaction.atomic():
        _lock(user)
        if has_second_factor(user):
            raise InvalidInput("There is a second factor already: remove it first.")
        TOTPDevice.objects.filter(user=user).delete()
        device: TOTPDevice = TOTPDevice.objects.create(user=user, name=APP, confirmed=False)
    return device


def confirm_second_factor(user: User, *, device_id: int, code: str, session_key: str | None) -> Confirmed:
    """A right code of the new key makes it count; recovery codes are made, and his other sessions end.

    Raises `InvalidInput` if that key is no longer waiting for its first code.
    """
    with transaction.atomic():
        _lock(user)
        waiting = TOTPDevice.objects.select_for_update(no_key=True).filter(user=user, confirmed=False)
        device = waiting.filter(pk=device_id).first()
        if device is None or has_second_factor(user):
            raise InvalidInput("This key was replaced or confirmed elsewhere meanwhile: look again.")
        checked = _verify(device, code)
        codes: tuple[str, ...] = ()
        if checked.is_right:
            device.confirmed = True
            device.save()
            codes = _new_recovery_codes(user)
            end_sessions(user, but=session_key)
    _log_wrong(user, checked)
    return Confirmed(checked, codes)


def check_second_factor(user: User, code: str, *, is_recovery: bool = False) -> Checked:
    """Check, and use up, a code of the app, or a recovery code."""
    model = StaticDevice if is_recovery else TOTPDevice
    with transaction.atomic():
        device = model.objects.select_for_update(no_key=True).filter(user=user, confirmed=True).first()
        checked = Checked(False) if device is None else _verify(device, code)
    _log_wrong(user, checked)
    return checked


def remove_second_factor(user: User, *, session_key: str | None = None) -> bool:
    """Remove app and recovery codes and end his other sessions; whether there was a second factor."""
    with transaction.atomic():
        _lock(user)
        had_one = has_second_factor(user)
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        end_sessions(user, but=session_key)
    return had_one


def end_sessions(user: User, *, but: str | None) -> None:
    """Whoever is signed in as this person must sign in again, but for the session of the key `but`."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).exclude(session_key=but or ""):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()


def _lock(user: User) -> None:
    """So that one person has one second factor, in however many windows he sets it up."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _verify(device: Any, code: str) -> Checked:
    is_allowed, why = device.verify_is_allowed()
    if not is_allowed:
        return Checked(False, wait_until=why["locked_until"])
    return Checked(device.verify_token(code))


def _new_recovery_codes(user: User) -> tuple[str, ...]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name=RECOVERY)
    codes = tuple(StaticToken.random_token() for _ in range(HOW_MANY_RECOVERY_CODES))
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def _log_wrong(user: User, checked: Checked) -> None:
    if not checked.is_right:
        what = "not looked at" if checked.wait_until else "wrong"
        logger.warning("Second factor of %s from %s: code %s", user, current_caller().address or "nowhere", what)
