"""The second factor of staff: setting it up, being asked for it, guessing, losing the phone, and doing without."""

import html
import re
from base64 import b32decode
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from targets.callers import account
from targets.enums import SecretForm
from targets.models import AuditEntry, Brand
from targets.operations import begin_second_factor, remove_second_factor
from targets.second_factor import FLAG, Stage
from tests.config.second_factor_scene import ASK, PAGE, code_of, passed, sam, with_second_factor, wrong_code
from tests.enrollments.admin_scene import signed_in, staff
from tests.factories import SECRET, ApiUserFactory, BrandFactory
from tests.faults import everything

pytestmark = pytest.mark.django_db

REMOVE = "/admin/second_factor/remove/"
RECOVERY = "abcdefg2"
PASSWORD = "a-Long-word-7"


@pytest.fixture
def chief():
    return sam(is_superuser=True, password=make_password(PASSWORD, hasher="md5"))


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def device(chief):
    return with_second_factor(chief, RECOVERY, "hijklmn3")


def log_in(client, **query):
    return client.post("/admin/login/", {"username": "sam", "password": PASSWORD, "next": "/admin/"} | query)


def opens(client, address="/admin/"):
    """Whether the page is opened, and where else he is led."""
    response = client.get(address)
    return response.status_code if response.status_code == 200 else response["Location"]


def stage(client):
    return client.session.get(FLAG)


def begun(client):
    """Begin to set it up; the device as its app knows it."""
    client.post(PAGE, {"begin": "first"})
    return TOTPDevice.objects.latest("pk")


def errors(response):
    return [html.unescape(each) for each in re.findall(r'<ul class="errorlist"[^>]*><li>(.*?)</li>', response.text)]


def age(model, **since):
    """The last wrong code was given so long ago."""
    model.objects.update(throttling_failure_timestamp=F("throttling_failure_timestamp") - timedelta(**since))


def told(**which):
    return [
        (each.action, f"{each.kind} {each.name}", each.credential)
        for each in AuditEntry.objects.filter(**which).order_by("pk")
    ]


# Signing in


def test_without_a_second_factor_the_password_is_enough(chief, client):
    response = log_in(client)

    assert (response["Location"], opens(client), stage(client)) == ("/admin/", 200, None)


def test_key_that_was_never_confirmed_counts_for_nothing(chief, client):
    begin_second_factor(chief)

    log_in(client)

    assert (opens(client), stage(client)) == (200, None)


def test_code_is_asked_for_after_the_password_and_leads_where_he_was_going(device, client):
    signed = log_in(client, next="/admin/targets/brand/?q=a")
    asked = client.get(signed["Location"])
    page = client.get(asked["Location"])

    response = client.post(asked["Location"], {"code": code_of(device)})

    assert asked["Location"] == f"{ASK}?next=/admin/targets/brand/%3Fq%3Da"
    assert 'autocomplete="one-time-code" inputmode="numeric"' in page.text
    assert '<label for="id_code">Code of the app:</label>' in page.text
    assert 'id="user-tools"' not in page.text
    assert response["Location"] == "/admin/targets/brand/?q=a"
    assert (opens(client), stage(client)) == (200, Stage.PASSED)


def test_code_with_spaces_is_taken(device, client):
    log_in(client)
    code = code_of(device)

    client.post(ASK, {"code": f" {code[:3]} {code[3:]} "})

    assert opens(client) == 200


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Enter the code that the app shows."),
        ({"code": "12345"}, "The code has 6 digits."),
        ({"code": "1234567"}, "The code has 6 digits."),
        ({"code": "١٢٣٤٥٦"}, "The code has 6 digits."),
        ({"code": "12345a"}, "The code has 6 digits."),
        ({"recovery_code": "abc"}, "A recovery code has 8 letters and digits."),
        ({"recovery_code": "abcdefg1"}, "A recovery code has 8 letters and digits."),
    ],
)
def test_what_is_no_code_is_not_counted_as_a_guess(device, client, sent, said):
    log_in(client)
    before = everything()

    response = client.post(ASK, sent)

    assert (response.status_code, errors(response)) == (200, [said])
    assert everything() == before
    assert opens(client) == f"{ASK}?next=/admin/"


def test_wrong_code_opens_nothing_and_is_logged_without_the_code(device, client, caplog):
    log_in(client)
    code = wrong_code(device)
    before = AuditEntry.objects.count()

    response = client.post(ASK, {"code": code})

    device.refresh_from_db()
    assert code not in response.text
    assert (response.status_code, errors(response)) == (200, ["This code is not right, or was used before."])
    assert (opens(client), stage(client)) == (f"{ASK}?next=/admin/", Stage.AWAITED)
    assert device.throttling_failure_count == 1
    assert caplog.messages == ["Second factor of sam from 127.0.0.1: code wrong"]
    assert AuditEntry.objects.count() == before


def test_code_is_not_taken_twice(device, client):
    code = code_of(device)
    log_in(client)
    client.post(ASK, {"code": code})
    again = Client()
    log_in(again)

    response = again.post(ASK, {"code": code})

    assert errors(response) == ["This code is not right, or was used before."]
    assert opens(again) == f"{ASK}?next=/admin/"


def test_code_of_another_person_is_wrong(device, client):
    other = with_second_factor(staff(username="ada"))
    log_in(client)

    client.post(ASK, {"code": code_of(other)})

    assert opens(client) == f"{ASK}?next=/admin/"


def test_guessing_waits_twice_as_long_each_time_even_for_the_right_code_and_says_how_long(device, client):
    log_in(client)
    TOTPDevice.objects.update(throttling_failure_count=9)
    client.post(ASK, {"code": wrong_code(device)})

    waits = client.post(ASK, {"code": code_of(device)})

    device.refresh_from_db()
    seconds = int(waits["Retry-After"])
    until = device.throttling_failure_timestamp + timedelta(seconds=512)
    assert (waits.status_code, 500 < seconds <= 512) == (429, True)
    assert errors(waits) == [
        f"Too many wrong codes: this one was not looked at. Try again in 9 minutes, at {until:%H:%M:%S} UTC."
    ]
    assert (device.throttling_failure_count, opens(client)) == (10, f"{ASK}?next=/admin/")
    age(TOTPDevice, seconds=513)
    assert client.post(ASK, {"code": code_of(device)}).status_code == 302
    device.refresh_from_db()
    assert device.throttling_failure_count == 0


def test_who_guesses_codes_of_the_app_does_not_lock_the_recovery_codes(device, client):
    log_in(client)
    TOTPDevice.objects.update(throttling_failure_count=20)
    client.post(ASK, {"code": wrong_code(device)})

    client.post(ASK, {"recovery_code": RECOVERY})

    assert opens(client) == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_right_code_leads_nowhere_else(device, client, elsewhere):
    log_in(client)

    response = client.post(f"{ASK}?next={elsewhere}", {"code": code_of(device), "next": elsewhere})
    again = client.get(f"{ASK}?next={elsewhere}")

    assert (response["Location"], again["Location"]) == ("/admin/", "/admin/")


def test_session_gets_a_new_key_with_the_right_code_and_the_old_one_opens_nothing(device, client):
    log_in(client)
    known = client.cookies["sessionid"].value

    client.post(ASK, {"code": code_of(device)})

    thief = Client()
    thief.cookies["sessionid"] = known
    assert client.cookies["sessionid"].value != known
    assert not Session.objects.filter(session_key=known).exists()
    assert opens(thief) == "/admin/login/?next=/admin/"


def test_password_typed_again_within_a_session_asks_for_a_code_again(chief):
    client = passed(chief)

    log_in(client)

    assert opens(client) == f"{ASK}?next=/admin/"


def test_page_of_the_log_in_leads_on_to_the_code(device, client):
    log_in(client)

    response = client.get("/admin/login/", follow=True)

    assert response.redirect_chain == [("/admin/", 302), (f"{ASK}?next=/admin/", 302)]


def test_who_is_asked_can_log_out_and_then_the_password_is_asked_for(device, client):
    log_in(client)

    response = client.post("/admin/logout/")

    assert (response.status_code, opens(client)) == (200, "/admin/login/?next=/admin/")


def test_log_out_takes_the_passed_code_along(chief):
    client = passed(chief)

    client.post("/admin/logout/")
    log_in(client)

    assert opens(client) == f"{ASK}?next=/admin/"


def test_changing_the_password_keeps_the_session_as_far_as_it_was(chief):
    client = passed(chief)

    form = {"old_password": PASSWORD, "new_password1": "another-Word-8", "new_password2": "another-Word-8"}
    response = client.post("/admin/password_change/", form)

    assert (response.status_code, opens(client), stage(client)) == (302, 200, Stage.PASSED)


def test_change_of_who_awaits_a_code_changes_nothing(device, client):
    brand = BrandFactory(name="Acme")
    log_in(client)
    before = everything()

    response = client.post(f"/admin/targets/brand/{brand.pk}/change/", {"name": "Taken", "time_zone": "UTC"})
    listed = client.get("/admin/autocomplete/?app_label=targets&model_name=customer&field_name=brand&term=A")

    assert (response.status_code, listed.status_code) == (302, 302)
    assert response["Location"].startswith(ASK)
    assert "Acme" not in listed.text
    assert everything() == before
    assert Brand.objects.get().name == "Acme"


def test_second_factor_costs_no_query_on_a_page(chief, django_assert_num_queries):
    client = signed_in(chief)
    client.get("/admin/")
    with django_assert_num_queries(4):  # session, user, brands of the dashboard, recent actions
        client.get("/admin/")
    client = passed(chief)
    client.get("/admin/")

    with django_assert_num_queries(4):
        client.get("/admin/")


# Setting it up


def test_set_up_shows_the_key_counts_after_the_first_right_code_and_shows_recovery_codes_once(chief):
    client = signed_in(chief)
    offered = client.get(PAGE).text
    device = begun(client)
    page = client.get(PAGE).text
    wrong = client.post(PAGE, {"code": wrong_code(device)})
    counted_after_wrong = TOTPDevice.objects.filter(confirmed=True).count()
    age(TOTPDevice, seconds=2)

    done = client.post(PAGE, {"code": code_of(device)})

    key = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page)[1].replace(" ", "")
    codes = re.findall(r"<li><code>([a-z2-7]{8})</code></li>", done.text)
    assert "Your password alone signs you in" in offered
    assert '<img class="qr-code" src="data:image/svg+xml;base64,' in page
    assert b32decode(key) == device.bin_key
    assert (errors(wrong), counted_after_wrong) == (["This code is not right, or was used before."], 0)
    assert (done.status_code, len(set(codes))) == (200, 10)
    assert set(StaticToken.objects.filter(device__user=chief).values_list("token", flat=True)) == set(codes)
    assert stage(client) == Stage.PASSED
    assert "no-store" in done["Cache-Control"]
    later = client.get(PAGE).text
    assert "Recovery codes left: 10" in later
    assert [each for each in [*codes, key] if each in later.replace(" ", "")] == []


def test_link_to_the_page_stands_beside_change_password(chief):
    assert '<a href="/admin/second_factor/">Second factor</a>' in signed_in(chief).get("/admin/").text


def test_looking_at_the_page_makes_no_key(chief):
    client = signed_in(chief)

    client.get(PAGE)
    client.post(PAGE, {"code": "123456"})

    assert TOTPDevice.objects.count() == 0


def test_key_begun_in_another_session_is_neither_shown_nor_confirmed(chief):
    stranger, client = signed_in(chief), signed_in(chief)
    known = begun(stranger)

    page = client.get(PAGE).text
    client.post(PAGE, {"code": code_of(known)})
    begun(client)
    client.post(PAGE, {"code": code_of(known)})

    assert "qr-code" not in page
    assert TOTPDevice.objects.filter(confirmed=True).count() == 0
    assert not TOTPDevice.objects.filter(pk=known.pk).exists()


def test_nobody_has_two(chief):
    client = passed(chief)
    before = everything()

    response = client.post(PAGE, {"begin": "first"}, follow=True)

    assert "There is a second factor already: remove it first." in response.text
    assert {name: rows for name, rows in everything().items() if rows != before[name]} == {}


def test_setting_up_ends_his_other_sessions_and_nobody_elses(chief):
    ada, elsewhere, client = signed_in(staff(username="ada")), signed_in(chief), signed_in(chief)
    device = begun(client)

    client.post(PAGE, {"code": code_of(device)})

    assert (opens(client), opens(elsewhere), opens(ada)) == (200, "/admin/login/?next=/admin/", 200)


def test_setting_up_gives_the_session_a_new_key(chief):
    client = signed_in(chief)
    device = begun(client)
    known = client.cookies["sessionid"].value

    client.post(PAGE, {"code": code_of(device)})

    assert client.cookies["sessionid"].value != known
    assert not Session.objects.filter(session_key=known).exists()


def test_session_that_slipped_through_is_asked_when_it_looks_at_the_page(chief):
    client = signed_in(chief)
    with_second_factor(chief)

    assert (opens(client, PAGE), opens(client)) == (ASK, f"{ASK}?next=/admin/")


# Recovery codes, removing, resetting


def test_recovery_code_signs_in_once_in_whatever_case_and_says_how_many_are_left(device, client):
    log_in(client)

    client.post(ASK, {"recovery_code": RECOVERY.upper()})
    page = client.get("/admin/").text
    again = Client()
    log_in(again)
    refused = again.post(ASK, {"recovery_code": RECOVERY})

    assert "That recovery code is used up. How many are left: 1." in page
    assert errors(refused) == ["This code is not right, or was used before."]
    assert opens(again) == f"{ASK}?next=/admin/"
    assert StaticToken.objects.get().token == "hijklmn3"


def test_browser_may_send_a_recovery_code_alone(device, client):
    log_in(client)

    assert " required" not in re.search(r'<input[^>]*name="code"[^>]*>', client.get(ASK).text)[0]


def test_guessed_recovery_codes_wait_too(device, client):
    log_in(client)
    StaticDevice.objects.update(throttling_failure_count=9)
    client.post(ASK, {"recovery_code": "zzzzzzzz"})

    waits = client.post(ASK, {"recovery_code": RECOVERY})

    assert (waits.status_code, opens(client)) == (429, f"{ASK}?next=/admin/")
    assert StaticToken.objects.count() == 2


def test_removing_takes_a_code_and_ends_his_other_sessions(chief):
    client = passed(chief)
    device = TOTPDevice.objects.get()
    elsewhere = signed_in(chief)
    refused = client.post(REMOVE, {"code": wrong_code(device)})
    kept = TOTPDevice.objects.count()
    age(TOTPDevice, seconds=2)

    response = client.post(REMOVE, {"code": code_of(device, later=1)})

    assert (errors(refused), kept) == (["This code is not right, or was used before."], 1)
    assert response["Location"] == PAGE
    assert "The second factor is removed." in client.get(PAGE).text
    assert (TOTPDevice.objects.count(), StaticDevice.objects.count()) == (0, 0)
    assert (opens(client), stage(client), opens(elsewhere)) == (200, None, "/admin/login/?next=/admin/")


def test_operator_resets_it_and_the_password_alone_signs_in_anew(device, client):
    log_in(client)
    other = with_second_factor(staff(username="ada"))
    out = StringIO()

    call_command("reset_second_factor", "sam", stdout=out)

    assert out.getvalue() == (
        "The second factor of sam is removed, and he is signed out. Signing in, his password is enough.\n"
    )
    assert opens(client) == "/admin/login/?next=/admin/"
    log_in(client)
    assert opens(client) == 200
    assert (TOTPDevice.objects.get(), StaticToken.objects.count()) == (other, 0)


@pytest.mark.parametrize(
    ("username", "message"), [("nobody", "There is no user 'nobody'."), ("sam", "'sam' has no second factor.")]
)
def test_reset_of_what_is_not_there_is_refused(chief, username, message):
    with pytest.raises(CommandError) as refused:
        call_command("reset_second_factor", username)

    assert (str(refused.value), refused.value.returncode) == (message, 2)


# Where it is required


def test_required_of_who_has_none_opens_nothing_but_setting_it_up(chief, client, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    log_in(client)

    led = opens(client), opens(client, "/admin/targets/brand/"), opens(client, "/admin/password_change/")
    page = client.get(PAGE).text
    device = begun(client)
    during = opens(client)
    client.post(PAGE, {"code": code_of(device)})

    assert (*led, during) == (PAGE,) * 4
    assert "Here everybody needs a second factor." in page
    assert opens(client) == 200


def test_required_of_who_has_one_asks_for_the_code_only(device, client, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    log_in(client)

    assert (opens(client), opens(client, PAGE)) == (f"{ASK}?next=/admin/", f"{ASK}?next={PAGE}")
    client.post(ASK, {"code": code_of(device)})
    assert opens(client) == 200


def test_required_holds_for_sessions_from_before(chief, settings):
    client = signed_in(chief)
    settings.REQUIRE_SECOND_FACTOR = True

    assert opens(client) == PAGE


def test_required_of_who_removes_his_leads_to_a_new_one(chief, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    client = passed(chief)

    client.post(REMOVE, {"code": code_of(TOTPDevice.objects.get(), later=1)})

    assert opens(client) == PAGE


# The API


@pytest.fixture
def caller(chief, client_of):
    ApiUserFactory(user=chief, secret_form=SecretForm.PASSWORD, secret_digest="")
    return client_of("sam", PASSWORD)


def test_api_takes_no_password_of_who_has_a_second_factor(chief, caller, django_assert_num_queries):
    before = caller.get("/v3/receipts").status_code
    device = begin_second_factor(chief)
    unconfirmed = caller.get("/v3/receipts").status_code
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)

    with django_assert_num_queries(1):
        after = caller.get("/v3/receipts").status_code

    remove_second_factor(chief)
    assert (before, unconfirmed, after, caller.get("/v3/receipts").status_code) == (200, 200, 401, 200)


def test_api_takes_no_password_of_staff_where_a_second_factor_is_required(chief, caller, settings):
    settings.REQUIRE_SECOND_FACTOR = True

    of_staff = caller.get("/v3/receipts").status_code
    User.objects.update(is_staff=False)

    assert (of_staff, caller.get("/v3/receipts").status_code) == (401, 200)


def test_generated_secret_of_who_has_a_second_factor_is_taken(device, chief, client_of):
    ApiUserFactory(user=chief)

    assert client_of("sam", SECRET).get("/v3/receipts").status_code == 200


def test_person_with_a_second_factor_is_not_let_in_with_his_own_password(device):
    BrandFactory(name="Acme")
    before = everything()

    with pytest.raises(CommandError) as refused:
        call_command("add_api_user", "sam", "--brand", "Acme", "--own-password", stdout=StringIO())

    assert str(refused.value) == (
        "'sam' signs in with a second factor, which the API does not ask for: make an API user of another name, with a "
        "secret of its own."
    )
    assert everything() == before


def test_page_warns_who_calls_the_api_with_his_password(caller, chief):
    ada = staff(username="ada")

    assert "You call the API with your own password." in signed_in(chief).get(PAGE).text
    assert "You call the API" not in signed_in(ada).get(PAGE).text


# What is written down


def test_set_up_code_and_removal_are_audited_without_key_or_codes(chief):
    client = signed_in(chief)
    before = AuditEntry.objects.latest("pk").pk

    device = begun(client)
    done = client.post(PAGE, {"code": code_of(device)})
    client.post("/admin/logout/")
    log_in(client)
    client.post(ASK, {"code": code_of(device, later=1)})
    client.post(REMOVE, {"recovery_code": re.findall(r"<code>([a-z2-7]{8})</code>", done.text)[0]})

    app, codes = "TOTP device authenticator app (sam)", "static device recovery codes (sam)"
    assert told(pk__gt=before) == [
        ("ADDED", app, "session sam"),
        ("CHANGED", app, "session sam"),
        ("ADDED", codes, "session sam"),
        ("SIGNED_IN", "user sam", "session sam"),
        ("SIGNED_IN", "user sam", "session sam, second factor"),
        ("REMOVED", app, "session sam, second factor"),
        ("REMOVED", codes, "session sam, second factor"),
    ]
    written = str(list(AuditEntry.objects.values()))
    assert "key" in written
    assert [each for each in (device.key, code_of(device)) if each in written] == []


def test_change_with_a_second_factor_says_so(chief):
    brand = BrandFactory(name="Acme")
    client = passed(chief)

    client.post(f"/admin/targets/brand/{brand.pk}/change/", {"name": "B", "time_zone": "UTC"})

    assert AuditEntry.objects.latest("pk").credential == "session sam, second factor"


def test_reset_is_audited_with_the_account(device):
    before = AuditEntry.objects.latest("pk").pk

    call_command("reset_second_factor", "sam", stdout=StringIO())

    assert {(action, credential) for action, _, credential in told(pk__gt=before)} == {
        ("REMOVED", f"account {account()}")
    }


def test_devices_have_no_pages_of_their_own_in_the_admin(device):
    assert [model for model in admin.site._registry if model in (TOTPDevice, StaticDevice)] == []
