"""The scene of the tests of the second factor: staff who have one, and the codes that their apps would show."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.enrollments.admin_scene import signed_in, staff

ASK = "/admin/second_factor/code/"
PAGE = "/admin/second_factor/"


def with_second_factor(user: User, *recovery_codes: str) -> TOTPDevice:
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="authenticator app")
    recovery = StaticDevice.objects.create(user=user, name="recovery codes")
    for code in recovery_codes:
        recovery.token_set.create(token=code)
    return device


def code_of(device: TOTPDevice, *, later: int = 0) -> str:
    """What the app shows now, or `later` half minutes later; of these the first is taken already."""
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, drift=later):06d}"


def wrong_code(device: TOTPDevice) -> str:
    """One that the app does not show for minutes."""
    shown = {code_of(device, later=steps) for steps in range(-5, 6)}
    return next(code for code in ("000000", *(f"{n:06d}" for n in range(1, 20))) if code not in shown)


def passed(user: User) -> Client:
    """Signed in, with a code given."""
    device = with_second_factor(user)
    client = signed_in(user)
    assert client.post(ASK, {"code": code_of(device)}).status_code == 302
    return client


def sam(**details: Any) -> User:
    return staff(**{"username": "sam"} | details)
