"""The second factor of staff in the admin: its pages, and what keeps every other page shut until a code was given.

How far a session has come stands in the session (targets.second_factor); `Console` asks `detour` before each page.
"""

import base64
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.generic import FormView
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.qr import write_qrcode_image

from targets.enums import AuditAction, SecretForm
from targets.errors import InvalidInput
from targets.models import ApiUser
from targets.operations import (
    Change,
    Checked,
    begin_second_factor,
    check_second_factor,
    confirm_second_factor,
    remove_second_factor,
)
from targets.operations.auditing import record
from targets.second_factor import FLAG, Stage, has_passed, has_second_factor

SET_UP, ASK, REMOVE, LOG_OUT = "second_factor", "second_factor_code", "second_factor_remove", "logout"
NEW_DEVICE = "new_second_factor"  # in the session: the key shown in it; nobody confirms one that another has seen


def detour(request: HttpRequest) -> HttpResponseBase | None:
    """Where a member of staff must go instead of to the page he asked for; None: there."""
    page = request.resolver_match.url_name if request.resolver_match else None
    if page == LOG_OUT or has_passed(request):
        return None
    if request.session.get(FLAG) == Stage.AWAITED:
        return None if page == ASK else redirect_to_login(request.get_full_path(), reverse(f"admin:{ASK}"))
    return redirect(f"admin:{SET_UP}") if settings.REQUIRE_SECOND_FACTOR and page != SET_UP else None


def begin_anew(request: HttpRequest, stage: Stage | None) -> None:
    """The session as it goes on from here, under a new key: whoever knew the old one has nothing."""
    request.session.pop(NEW_DEVICE, None)
    request.session.pop(FLAG, None)
    if stage is not None:
        request.session[FLAG] = stage
    request.session.cycle_key()
    rotate_token(request)


class DigitsForm(forms.Form):
    """A code as the app shows it, with spaces or without."""

    code = forms.RegexField(
        label="Code of the app",
        regex=r"(?a)^\d{6}\Z",
        error_messages={"required": "Enter the code that the app shows.", "invalid": "The code has 6 digits."},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        if data is not None:
            data = {name: "".join(data.get(name, "").split()).lower() for name in self.base_fields}
        super().__init__(data, **kwargs)


class CodeForm(DigitsForm):
    """A code of the app, or else a recovery code."""

    use_required_attribute = False  # or browsers would not send a recovery code alone

    recovery_code = forms.RegexField(
        label="Recovery code",
        regex=r"^[a-z2-7]{8}\Z",
        required=False,
        error_messages={"invalid": "A recovery code has 8 letters and digits."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.sent = "recovery_code" if self.data.get("recovery_code") else "code"
        self.fields["code"].required = self.sent == "code"


class SecondFactorView(FormView):
    """A page of the admin about the second factor of whoever is signed in."""

    title = ""

    @property
    def member(self) -> User:
        return cast("User", self.request.user)  # `admin_view` lets nobody else come here

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site = admin.site.each_context(self.request)
        return super().get_context_data(**site, title=self.title, **kwargs)

    def refuse(self, form: Any, field: str, checked: Checked) -> HttpResponse:
        """The page once more, with what was wrong at the field, emptied; 429 if he has to wait."""
        form.data[field] = ""
        if checked.wait_until is None:
            form.add_error(field, "This code is not right, or was used before.")
            return self.form_invalid(form)
        seconds = max(1, -((timezone.now() - checked.wait_until) // timedelta(seconds=1)))
        form.add_error(field, too_many(checked.wait_until, seconds))
        page = self.form_invalid(form)
        page.status_code = 429
        page["Retry-After"] = str(seconds)
        return page


def too_many(wait_until: datetime, seconds: int) -> str:
    wait = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
    return f"Too many wrong codes: this one was not looked at. Try again in {wait}, at {wait_until:%H:%M:%S} UTC."


class SetUpView(SecondFactorView):
    """Whether there is a second factor; and setting it up: begun by a button, done by the first right code."""

    template_name = "admin/second_factor/set_up.html"
    form_class = DigitsForm
    title = "Second factor"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.has_one = has_second_factor(self.member)
        if self.has_one and not has_passed(request):  # set up elsewhere while this session was being made
            request.session[FLAG] = Stage.AWAITED
            return redirect(f"admin:{ASK}")
        mine = TOTPDevice.objects.filter(user=self.member, confirmed=False)
        self.device = None if self.has_one else mine.filter(pk=request.session.get(NEW_DEVICE)).first()
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.member
        codes = StaticToken.objects.filter(device__user=user)
        return super().get_context_data(
            has_one=self.has_one,
            codes_left=codes.count() if self.has_one else 0,
            is_required=settings.REQUIRE_SECOND_FACTOR,
            calls_with_password=ApiUser.objects.filter(user=user, secret_form=SecretForm.PASSWORD).exists(),
            **(shown(self.device) if self.device else {}),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if "begin" in request.POST:
                request.session[NEW_DEVICE] = begin_second_factor(self.member).pk
            elif self.device is not None:
                return super().post(request, *args, **kwargs)
        except InvalidInput as refusal:
            messages.error(request, refusal.message)
        return redirect(f"admin:{SET_UP}")

    def form_valid(self, form: Any) -> HttpResponse:
        done = confirm_second_factor(
            self.member,
            device_id=self.request.session[NEW_DEVICE],
            code=form.cleaned_data["code"],
            session_key=self.request.session.session_key,
        )
        if not done.checked.is_right:
            return self.refuse(form, "code", done.checked)
        begin_anew(self.request, Stage.PASSED)
        context = {
            **admin.site.each_context(self.request),
            "title": "Your recovery codes",
            "codes": done.recovery_codes,
        }
        return render(self.request, "admin/second_factor/recovery_codes.html", context)


class AskView(RedirectURLMixin, SecondFactorView):
    """The page between the password and everything else."""

    template_name = "admin/second_factor/ask.html"
    form_class = CodeForm
    title = "Second factor"
    next_page = "admin:index"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.session.get(FLAG) != Stage.AWAITED:
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"has_permission": False, "available_apps": []}

    def form_valid(self, form: Any) -> HttpResponse:
        user, is_recovery = self.member, form.sent == "recovery_code"
        checked = check_second_factor(user, form.cleaned_data[form.sent], is_recovery=is_recovery)
        if not checked.is_right:
            return self.refuse(form, form.sent, checked)
        begin_anew(self.request, Stage.PASSED)
        record(AuditAction.SIGNED_IN, user, [Change("recovery code used" if is_recovery else "code of the app")])
        if is_recovery:
            left = StaticToken.objects.filter(device__user=user).count()
            messages.warning(self.request, f"That recovery code is used up. How many are left: {left}.")
        return redirect(self.get_success_url())


class RemoveView(SecondFactorView):
    """Removing it takes a code, so that nobody does it at a screen left alone."""

    template_name = "admin/second_factor/remove.html"
    form_class = CodeForm
    title = "Remove the second factor"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not has_passed(request):  # so there is none
            return redirect(f"admin:{SET_UP}")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        user, session = self.member, self.request.session
        checked = check_second_factor(user, form.cleaned_data[form.sent], is_recovery=form.sent == "recovery_code")
        if not checked.is_right:
            return self.refuse(form, form.sent, checked)
        remove_second_factor(user, session_key=session.session_key)
        begin_anew(self.request, None)
        messages.success(self.request, "The second factor is removed. Your other sessions have ended.")
        return redirect(f"admin:{SET_UP}")


def shown(device: TOTPDevice) -> dict[str, str]:
    """What to put the key into an app with: a picture, and the key in groups of four."""
    picture = BytesIO()
    write_qrcode_image(device.config_url, picture)
    key = base64.b32encode(device.bin_key).decode()
    return {
        "qr_code": f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}",
        "key": " ".join(key[at : at + 4] for at in range(0, len(key), 4)),
    }
