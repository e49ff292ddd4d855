"""What each thread of the web server keeps of its own, without looking for an event loop."""

from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap

import pytest
from django.conf import LazySettings, settings
from django.db import connections
from django.test import override_settings
from django.urls import base, get_script_prefix, resolve, set_script_prefix

from config.threads import LOOKING, keep_by_thread


@pytest.fixture
def kept_by_thread(transactional_db):
    """As in a process of the web server; put back before pytest-django bars the database again."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (connections, "_connections"),
            (base, "_prefixes"),
            (base, "_urlconfs"),
            (LazySettings, "__getattribute__"),
            *((wrapper, name) for wrapper, names in LOOKING for name in names),
        ):
            patch.setattr(owner, name, getattr(owner, name))  # fails where Django has no such name any more
        keep_by_thread()
        yield
        connections.close_all()


UNBARRED = [(wrapper, name) for wrapper, names in LOOKING for name in names if name != "ensure_connection"]


@pytest.mark.parametrize(("wrapper", "name"), UNBARRED)
def test_django_looks_for_an_event_loop_around_a_method_that_is_as_well_without(wrapper, name):
    method = getattr(wrapper, name)

    assert unwrap(method) is not method
    assert "get_running_loop" in method.__code__.co_names


def test_database_is_barred_from_tests_that_do_not_ask_for_it():
    """By a method of Django's, which the product's backend leaves alone until a web server starts."""
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connections["default"].ensure_connection()


def test_each_thread_has_a_connection_of_its_own_and_keeps_it(kept_by_thread):
    def looked_up():
        return connections["default"], connections["default"]

    with ThreadPoolExecutor(1) as another:
        theirs, again = another.submit(looked_up).result()
    ours, ours_again = looked_up()
    with ours.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)

    assert ours is ours_again
    assert theirs is again
    assert theirs is not ours
    assert connections.all(initialized_only=True) == [ours]


def test_prefix_of_paths_is_that_of_the_thread(kept_by_thread):
    set_script_prefix("/loyalty")
    with ThreadPoolExecutor(1) as another:
        prefix = another.submit(get_script_prefix).result()

    assert (get_script_prefix(), prefix) == ("/loyalty/", "/")


def test_paths_lead_where_the_settings_say(kept_by_thread):
    assert resolve("/docs").view_name == "docs"


def test_settings_can_be_read_changed_and_put_back(kept_by_thread):
    with override_settings(CALLER_SECONDS=59, NEW_SETTING="new"):
        inside = settings.CALLER_SECONDS, settings.NEW_SETTING

    assert inside == (59, "new")
    assert settings.CALLER_SECONDS != 59
    with pytest.raises(AttributeError, match="NEW_SETTING"):
        _ = settings.NEW_SETTING
    assert settings.configured
