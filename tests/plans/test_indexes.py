"""Tables that grow keep no index twice."""

import pytest
from django.db import connection

from tests.plans.reading import GROWING

pytestmark = pytest.mark.django_db

# An index that is no constraint, and with whose columns another one begins.
DOUBLED = """
SELECT one.indrelid::regclass::text, one.indexrelid::regclass::text, other.indexrelid::regclass::text
  FROM pg_index one
  JOIN pg_index other ON other.indrelid = one.indrelid AND other.indexrelid <> one.indexrelid
  JOIN pg_class one_index ON one_index.oid = one.indexrelid
  JOIN pg_class other_index ON other_index.oid = other.indexrelid AND other_index.relam = one_index.relam
  JOIN pg_am method ON method.oid = one_index.relam AND method.amname = 'btree'
 WHERE one.indrelid::regclass::text = ANY (%s) AND NOT one.indisunique
   AND one.indpred IS NULL AND other.indpred IS NULL AND one.indexprs IS NULL AND other.indexprs IS NULL
   AND other.indkey::text || ' ' LIKE one.indkey::text || ' %%'
"""


def doubled() -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(DOUBLED, [[table for table in GROWING if table.startswith(("enroll", "rewards", "targets"))]])
        return cursor.fetchall()


def test_no_index_of_a_growing_table_is_the_beginning_of_another():
    assert doubled() == []


def test_doubled_index_is_noticed():
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX once_more ON enrollments_receipt (brand_id)")

    assert doubled() == [("enrollments_receipt", "once_more", "receipt_feed")]
