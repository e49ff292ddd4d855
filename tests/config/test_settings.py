import pytest

from tests import deploy_check


def test_deploy_check_with_production_settings_and_with_weak_ones():
    assert deploy_check.problems() == []


def test_deploy_check_of_debug_in_production_fails():
    result = deploy_check.check(DEBUG="true")

    assert result.returncode == 1
    assert "security.W018" in result.stderr


def test_hosts_with_spaces_between_them_are_taken():
    result = deploy_check.check(ALLOWED_HOSTS="example.org, example.com")

    assert (result.returncode, result.stdout) == (0, "System check identified no issues (0 silenced).\n")


@pytest.mark.parametrize(
    ("name", "text"), [("GUESSES_PER_USER", "many"), ("GUESSES_PER_ADDRESS", "0/minute"), ("LOGIN_FAILURES", "0")]
)
def test_limit_that_is_none_stops_the_start_and_is_named(name, text):
    result = deploy_check.check(**{name: text})

    last_line = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 1
    assert last_line.startswith("django.core.exceptions.ImproperlyConfigured")
    assert name in last_line
