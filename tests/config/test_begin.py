"""BEGIN goes to the server together with the first statement of an atomic block, COMMIT with the last."""

import io
from contextlib import contextmanager

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS
from psycopg2.sql import SQL

from targets.models import Brand
from targets.statements import execute_last, fetch_row
from tests.factories import BrandFactory
from tests.faults import ends_connection

pytestmark = pytest.mark.django_db(transaction=True)

RENAME = "UPDATE targets_brand SET name = 'renamed'"


class Undone(Exception):
    """Ends an atomic block."""


@pytest.fixture
def brand():
    return BrandFactory(name="as it was")


@contextmanager
def block_that_ends_in(error):
    with pytest.raises(error), transaction.atomic():
        yield


def status():
    return connection.connection.info.transaction_status


def name_of(brand):
    return Brand.objects.values_list("name", flat=True).get(pk=brand.pk)


def execute(statement, params=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.query.decode()


def test_begin_goes_with_the_first_statement_and_no_other(brand):
    with transaction.atomic():
        before = status()
        first, second = execute("SELECT %s", [1]), execute("SELECT %s", [2])
        within = status()

    assert (before, within, status()) == (
        TRANSACTION_STATUS_IDLE,
        TRANSACTION_STATUS_INTRANS,
        TRANSACTION_STATUS_IDLE,
    )
    assert (first, second) == ("BEGIN; SELECT 1", "SELECT 2")


def test_without_a_block_nothing_begins(brand):
    assert execute("SELECT 1") == "SELECT 1"
    assert status() == TRANSACTION_STATUS_IDLE


def test_block_without_a_statement_sends_nothing(brand, django_assert_num_queries):
    with django_assert_num_queries(0):
        with transaction.atomic():
            pass
        with block_that_ends_in(Undone):
            raise Undone

    assert execute("SELECT 1") == "SELECT 1"


def test_what_a_block_wrote_stays(brand):
    with transaction.atomic():
        execute(RENAME)

    connection.close()
    assert name_of(brand) == "renamed"


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda cursor: cursor.execute(RENAME), id="execute"),
        pytest.param(lambda cursor: cursor.execute(SQL(RENAME)), id="execute composed"),
        pytest.param(lambda cursor: cursor.executemany(RENAME, [[]]), id="executemany"),
        pytest.param(lambda cursor: cursor.callproc("rename_brands"), id="callproc"),
        pytest.param(
            lambda cursor: cursor.copy_expert("COPY written FROM STDIN", io.StringIO("1\n")), id="copy_expert"
        ),
        pytest.param(lambda cursor: cursor.copy_from(io.StringIO("1\n"), "written"), id="copy_from"),
        pytest.param(lambda cursor: (cursor.copy_to(io.StringIO(), "written"), cursor.execute(RENAME)), id="copy_to"),
    ],
)
def test_block_that_fails_undoes_whatever_was_its_first_statement(write, brand):
    execute("CREATE TABLE written (number integer)")
    execute(
        "CREATE FUNCTION rename_brands() RETURNS void LANGUAGE sql AS "
        "$$ UPDATE targets_brand SET name = 'renamed'; INSERT INTO written VALUES (1) $$"
    )
    try:
        with block_that_ends_in(Undone):
            with connection.cursor() as cursor:
                write(cursor)
            within = status()
            raise Undone

        assert within == TRANSACTION_STATUS_INTRANS
        assert status() == TRANSACTION_STATUS_IDLE
        assert name_of(brand) == "as it was"
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM written")
            assert cursor.fetchone() == (0,)
    finally:
        execute("DROP FUNCTION rename_brands")
        execute("DROP TABLE written")


def test_cursor_of_the_server_reads_within_the_block(brand):
    with block_that_ends_in(Undone):
        with connection.chunked_cursor() as rows:
            rows.execute("SELECT name FROM targets_brand")
            within = status()
            execute(RENAME)
            found = rows.fetchall()
        raise Undone

    assert (found, within) == ([("as it was",)], TRANSACTION_STATUS_INTRANS)
    assert name_of(brand) == "as it was"


@pytest.mark.parametrize("refused", ["SELECT FROM WHERE", "SELECT %s, %s"], ids=["syntax", "parameters"])
def test_after_a_statement_that_was_never_begun_the_next_one_is_in_the_block(refused, brand):
    with block_that_ends_in(Undone):
        with pytest.raises((ProgrammingError, IndexError)):
            execute(refused, [1])
        execute(RENAME)
        within = status()
        raise Undone

    assert within == TRANSACTION_STATUS_INTRANS
    assert name_of(brand) == "as it was"


def test_first_statement_that_fails_fails_the_block(brand):
    with block_that_ends_in(Undone):
        with pytest.raises(DataError):
            execute("SELECT 1 / 0")
        within = status()
        raise Undone

    assert (within, status()) == (TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_IDLE)
    with transaction.atomic():
        execute(RENAME)
    assert name_of(brand) == "renamed"


def test_inner_block_is_undone_alone(brand):
    with transaction.atomic():
        with block_that_ends_in(Undone):
            execute("UPDATE targets_brand SET name = 'inner'")
            raise Undone
        assert name_of(brand) == "as it was"
        execute(RENAME)

    assert name_of(brand) == "renamed"


def test_what_only_the_commit_finds_is_an_error_and_undone(brand):
    execute("CREATE TABLE late (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        with block_that_ends_in(IntegrityError):
            execute(RENAME)
            execute("INSERT INTO late VALUES (1), (1)")

        assert status() == TRANSACTION_STATUS_IDLE
        assert name_of(brand) == "as it was"
    finally:
        execute("DROP TABLE late")


def test_hooks_run_after_the_commit(brand):
    seen = []
    with transaction.atomic():
        execute(RENAME)
        transaction.on_commit(lambda: seen.append((status(), name_of(brand))))
        assert seen == []

    assert seen == [(TRANSACTION_STATUS_IDLE, "renamed")]


def test_connection_lost_before_the_first_statement_leaves_nothing_due(brand):
    with block_that_ends_in(OperationalError):
        ends_connection(connection.connection.info.backend_pid)
        execute(RENAME)

    connection.close()
    assert execute("SELECT 1") == "SELECT 1"
    assert name_of(brand) == "as it was"


def test_connection_lost_before_the_commit_is_an_error_and_undone(brand):
    with block_that_ends_in(OperationalError):
        execute(RENAME)
        ends_connection(connection.connection.info.backend_pid)

    connection.close()
    assert name_of(brand) == "as it was"


def test_autocommit_turned_off_by_hand_works_as_in_django(brand):
    transaction.set_autocommit(False)
    try:
        execute(RENAME)
        transaction.rollback()
        assert name_of(brand) == "as it was"
        execute(RENAME)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert (name_of(brand), status()) == ("renamed", TRANSACTION_STATUS_IDLE)


def sent(statements):
    """What the server was sent in one message each, as Django saw it."""
    return [each["sql"] for each in statements]


def test_last_statement_goes_with_the_commit(brand):
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        execute_last("UPDATE targets_brand SET name = %s", ["renamed"])
        before = status()

    assert (before, status()) == (TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_IDLE)
    assert sent(captured) == ["BEGIN; UPDATE targets_brand SET name = 'renamed'; COMMIT"]
    connection.close()
    assert name_of(brand) == "renamed"


def test_statement_that_was_not_the_last_goes_ahead_of_the_next_one(brand):
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        execute("SELECT 1")
        execute_last(RENAME, [])
        seen = name_of(brand)
        execute_last("UPDATE targets_brand SET name = name || ' again'", [])
        execute_last("UPDATE targets_brand SET name = name || ' and again'", [])

    assert seen == "renamed"
    assert sent(captured)[:2] == ["BEGIN; SELECT 1", RENAME]
    assert sent(captured)[3:] == [
        "UPDATE targets_brand SET name = name || ' again'",
        "UPDATE targets_brand SET name = name || ' and again'; COMMIT",
    ]
    assert name_of(brand) == "renamed again and again"


def test_last_statement_without_a_block_is_executed_at_once(brand):
    execute_last(RENAME, [])

    assert name_of(brand) == "renamed"


def test_last_statement_is_undone_with_its_block(brand, django_assert_num_queries):
    with django_assert_num_queries(0), block_that_ends_in(Undone):
        execute_last(RENAME, [])
        raise Undone

    assert name_of(brand) == "as it was"
    with transaction.atomic():
        execute("SELECT 1")
    assert name_of(brand) == "as it was"


def test_last_statement_of_an_inner_block_is_undone_with_that_alone(brand):
    with transaction.atomic():
        execute_last("UPDATE targets_brand SET name = 'outer'", [])
        with block_that_ends_in(Undone):
            execute_last(RENAME, [])
            raise Undone

    assert name_of(brand) == "outer"


def test_what_was_put_off_in_an_inner_block_that_fails_is_never_sent(brand):
    with transaction.atomic():
        execute(RENAME)
        with CaptureQueriesContext(connection) as captured, block_that_ends_in(Undone):
            execute_last("SELECT 1 / 0", [])
            raise Undone

    assert [each.split()[0] for each in sent(captured)] == ["SAVEPOINT", "ROLLBACK", "RELEASE"]
    assert name_of(brand) == "renamed"


def test_what_the_last_statement_fails_with_is_raised_by_the_end_of_the_block(brand):
    with block_that_ends_in(DataError):
        execute(RENAME)
        execute_last("SELECT 1 / 0", [])

    assert status() == TRANSACTION_STATUS_IDLE
    assert name_of(brand) == "as it was"


def test_what_it_fails_with_is_raised_by_the_end_of_an_inner_block_which_is_undone_alone(brand):
    with transaction.atomic():
        execute(RENAME)
        with block_that_ends_in(DataError):
            execute_last("SELECT 1 / 0", [])

    assert name_of(brand) == "renamed"


def test_last_statement_refused_by_a_constraint_that_waits_is_an_error_and_undone(brand):
    execute("CREATE TABLE late (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        with block_that_ends_in(IntegrityError):
            execute(RENAME)
            execute_last("INSERT INTO late VALUES (1), (1)", [])

        assert status() == TRANSACTION_STATUS_IDLE
        assert name_of(brand) == "as it was"
    finally:
        execute("DROP TABLE late")


def test_connection_lost_before_the_last_statement_is_an_error_and_undone(brand):
    with block_that_ends_in(OperationalError):
        execute(RENAME)
        execute_last("UPDATE targets_brand SET name = 'never'", [])
        ends_connection(connection.connection.info.backend_pid)

    connection.close()
    assert name_of(brand) == "as it was"


def test_block_that_ends_with_an_error_of_python_is_undone(brand):
    with block_that_ends_in(ValueError):
        execute(RENAME)
        execute_last("SELECT %s", ["a\0b"])  # which the driver refuses, not the database

    assert status() == TRANSACTION_STATUS_IDLE
    with transaction.atomic():
        execute("SELECT 1")
    assert name_of(brand) == "as it was"


def test_transaction_that_was_left_open_is_never_committed_by_the_next_block(brand):
    with connection.connection.cursor() as cursor:  # behind Django's back
        cursor.execute(f"BEGIN; {RENAME}")

    with pytest.raises(InterfaceError, match="left open"), transaction.atomic():
        pytest.fail("entered")

    with transaction.atomic():
        assert name_of(brand) == "as it was"


def test_nothing_is_put_off_in_a_block_that_will_be_rolled_back(brand):
    with block_that_ends_in(transaction.TransactionManagementError):
        transaction.set_rollback(True)
        execute_last(RENAME, [])

    assert name_of(brand) == "as it was"


def test_what_was_put_off_is_forgotten_with_its_connection(brand):
    with transaction.atomic():
        execute_last(RENAME, [])
        connection.close()

    execute_last("SELECT 1", [])
    assert name_of(brand) == "as it was"


def test_isolation_level_that_would_be_passed_over_is_refused():
    wrapper = connection.copy()
    wrapper.settings_dict["OPTIONS"] = connection.settings_dict["OPTIONS"] | {"isolation_level": 3}

    with pytest.raises(ImproperlyConfigured, match="isolation_level"):
        wrapper.connect()


def test_last_statement_where_autocommit_was_turned_off_by_hand(brand):
    transaction.set_autocommit(False)
    try:
        execute_last(RENAME, [])
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert name_of(brand) == "renamed"


def test_row_is_what_a_cursor_of_django_would_fetch(brand):
    rows = [
        fetch_row("SELECT %s, name, 7::numeric, created_at FROM targets_brand WHERE id = %s", ["a", brand.pk]),
        fetch_row("SELECT 1 WHERE false", []),
        fetch_row("UPDATE targets_brand SET name = 'without an answer'", []),
    ]

    assert rows == [("a", "as it was", 7, brand.created_at), None, None]
    assert rows[0][3].tzinfo is not None
    assert name_of(brand) == "without an answer"


def test_row_is_fetched_by_one_cursor_as_long_as_the_connection_lasts(brand):
    fetch_row("SELECT 1", [])
    first = connection.own_cursor
    fetch_row("SELECT 2", [])
    second = connection.own_cursor
    connection.close()

    assert fetch_row("SELECT 3", []) == (3,)
    assert first is second is not None
    assert connection.own_cursor is not first


def test_connection_lost_before_a_row_is_an_error_and_the_next_block_has_another(brand):
    with block_that_ends_in(OperationalError):
        execute(RENAME)
        ends_connection(connection.connection.info.backend_pid)
        fetch_row("SELECT 1", [])
    connection.close_if_unusable_or_obsolete()  # as before the next request

    with transaction.atomic():
        assert fetch_row("SELECT name FROM targets_brand", []) == ("as it was",)


def test_what_was_put_off_goes_ahead_of_a_row_and_is_undone_with_its_inner_block(brand):
    with transaction.atomic():
        execute_last("UPDATE targets_brand SET name = 'outer'", [])
        with block_that_ends_in(Undone):
            execute_last(RENAME, [])
            assert fetch_row("SELECT name FROM targets_brand", []) == ("renamed",)
            raise Undone
        assert fetch_row("SELECT name FROM targets_brand", []) == ("outer",)

    assert name_of(brand) == "outer"


def test_what_was_put_off_fails_ahead_of_a_row(brand):
    with block_that_ends_in(DataError):
        execute_last("SELECT 1 / 0", [])
        fetch_row(f"{RENAME} RETURNING 1", [])

    assert status() == TRANSACTION_STATUS_IDLE
    assert name_of(brand) == "as it was"


def test_row_where_autocommit_was_turned_off_by_hand(brand):
    transaction.set_autocommit(False)
    try:
        row = fetch_row(f"{RENAME} RETURNING name", [])
        inside = status()
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)

    assert (row, inside) == (("renamed",), TRANSACTION_STATUS_INTRANS)
    assert name_of(brand) == "as it was"


def test_begin_and_what_was_put_off_go_ahead_of_a_row(brand):
    with CaptureQueriesContext(connection) as captured:
        fetch_row("SELECT 1", [])
    with transaction.atomic():
        execute_last(RENAME, [])
        seen = fetch_row("SELECT name FROM targets_brand", [])
        inside = status()

    assert sent(captured) == ["SELECT 1"]
    assert (seen, inside, status()) == (("renamed",), TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_IDLE)


def test_what_a_row_fails_with_is_an_error_of_django_and_undoes_the_block(brand):
    with block_that_ends_in(DataError):
        fetch_row(f"{RENAME} RETURNING 1", [])
        fetch_row("SELECT 1 / 0", [])

    assert name_of(brand) == "as it was"
    assert fetch_row("SELECT 1", []) == (1,)


def test_no_row_is_fetched_in_a_block_that_will_be_rolled_back(brand):
    with block_that_ends_in(transaction.TransactionManagementError):
        transaction.set_rollback(True)
        fetch_row(f"{RENAME} RETURNING 1", [])

    assert name_of(brand) == "as it was"


def test_who_watches_statements_sees_that_of_a_row_too(brand):
    seen = []

    def watching(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watching):
        assert fetch_row("SELECT 1", []) == (1,)

    assert seen == ["SELECT 1"]
