"""A database in which reading all of a table would be noticed: a brand of 10,000 customers beside a small one."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import connection

from enrollments.enums import Effective
from enrollments.models import Activity, Participation, Receipt
from enrollments.operations import unenroll
from rewards.models import Grant
from targets.api.feeds import encode_cursor
from targets.models import Brand, Target
from tests.benchmarks.loading import Sizes, load
from tests.config.token_scene import Credentials
from tests.enrollments.admin_scene import ACT
from tests.factories import START, ApiUserFactory, BrandFactory, CustomerFactory
from tests.isolation.scene import wait_until_feeds_show
from tests.isolation.story import Story, story_of, two_lists, with_history

SIZES = Sizes(stays=20_000, customers=10_000, programmes=20, cycles_reached=3, activities=10_000, achieved_every=2)

# One row for each of many callers and calls.
CALLERS = """
INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
SELECT 'till-' || n, '!', '', '', '', false, false, true, now() FROM generate_series(1, 5000) n;
INSERT INTO targets_apiuser (user_id, brand_id, secret_form, secret_digest, former_digest, is_active, created_at)
SELECT id, {brand}, 'PLAIN', encode(sha256(username::bytea), 'hex'), '', true, now()
  FROM auth_user WHERE username LIKE 'till-%';
INSERT INTO targets_quotause (api_user_id, window_number, used, quota)
SELECT id, 1, 1, 6000 FROM targets_apiuser WHERE brand_id = {brand};
INSERT INTO targets_storedanswer
  (api_user_id, key_digest, fingerprint, status, body, customer_ids, recorded_at)
SELECT id, encode(sha256(('k' || n)::bytea), 'hex'), encode(sha256(('f' || n)::bytea), 'hex'), 200, 'told', ARRAY[n],
       now() - interval '1 hour'
  FROM targets_apiuser, generate_series(1, 2) n WHERE brand_id = {brand};
INSERT INTO targets_auditentry
  (by, action, kind, object_id, name, changes, source, address, credential, request_id)
SELECT 'anna-' || n % 50, 'CHANGED', 'user', n, 'till-' || n, '[]', 'ADMIN', '192.0.2.1', 'session', md5('r' || n)
  FROM generate_series(1, 10000) n;
INSERT INTO targets_refusedcalls (brand_id, day, operation, code, calls, last_at, last_by, last_request_id)
SELECT {brand}, now()::date - day, 'POST /v3/' || n, 310000 + n, 1, now(), 'till-1', md5('r' || n)
  FROM generate_series(0, 89) day, generate_series(1, 60) n;
INSERT INTO django_session (session_key, session_data, expire_date)
SELECT md5('s' || n), '', now() + interval '1 day' FROM generate_series(1, 10000) n;
INSERT INTO oauth2_provider_accesstoken
  (token, token_checksum, expires, scope, application_id, created, updated, resource)
SELECT '', encode(sha256(('t' || n)::bytea), 'hex'), now() + interval '1 hour', 'read write', {client}, now(), now(),
       '[]'
  FROM generate_series(1, 10000) n;
"""

KNOWN_BY_PHONE = "UPDATE targets_customer SET mobile = '+49 30 ' || customer_id WHERE mobile = ''"

# As many as are not: the same once more, of another time.
ARCHIVED = """
INSERT INTO enrollments_archivedactivity (id, brand_id, customer_id, event_id, event_name, occurred_at, amount,
                                          quantity, attributes, recorded_at, not_counted)
SELECT id + 1000000, brand_id, customer_id, 'archived ' || event_id, event_name, occurred_at, amount, quantity,
       attributes, recorded_at, not_counted
  FROM enrollments_activity;
INSERT INTO enrollments_archivedoutcome (id, activity_id, participation_id, run_number, cycle_number, reason, delta,
                                         value, achieved)
SELECT id + 1000000, activity_id + 1000000, participation_id, run_number, cycle_number, reason, delta, value, achieved
  FROM enrollments_activityoutcome;
"""


@dataclass(frozen=True)
class Crowd:
    large: Brand
    credentials: Credentials
    ids: dict[str, Any]
    story: Story
    small: Story


def gather() -> Crowd:
    """Committed: feeds show only what is, and only what is committed can be analyzed for the planner."""
    large = BrandFactory(name="Large", sandbox=True, clock_at=START)
    streak, _, milestone, *_ = load(large, SIZES, say=lambda told: None)
    credentials = Credentials.of(ApiUserFactory(brand=large, user__username="Large-till"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM oauth2_provider_application WHERE client_id = %s", [credentials.client_id])
        cursor.execute(CALLERS.format(brand=large.pk, client=cursor.fetchone()[0]))
        cursor.execute(KNOWN_BY_PHONE)
    small = story_of("Quito")
    member, leaving, left = (participation_of(milestone, 3 + n * SIZES.programmes) for n in range(3))
    unenroll(customer=leaving.customer, target=milestone, at=large.clock_at, effective=Effective.END_OF_CYCLE, **ACT)
    batch_id = uuid4()
    unenroll(customer=left.customer, target=milestone, at=large.clock_at, batch_id=batch_id, **ACT)
    with_history(milestone, streak, at=large.clock_at)
    lists = two_lists(milestone, member.customer.customer_id, "nobody")
    ids = ids_of(milestone, member, leaving) | {
        "receipt_id": left.receipts.latest("pk").pk,
        "batch_id": str(batch_id),
    }
    with connection.cursor() as cursor:
        cursor.execute(ARCHIVED)
        cursor.execute("VACUUM (ANALYZE, PARALLEL 0)")
    wait_until_feeds_show(Receipt.objects.latest("transaction_id").transaction_id)
    return Crowd(large, credentials, ids, Story(large, milestone, member, leaving, left, *lists), small)


def participation_of(target: Target, number: int) -> Participation:
    return Participation.objects.get(target=target, customer__customer_id=number)


def ids_of(target: Target, member: Participation, leaving: Participation) -> dict[str, Any]:
    """The ids that the rows of tests/isolation/calls.py send, of the large brand."""
    brand = target.brand
    cycle = target.target_group.cycles.get(number=SIZES.cycles_reached)
    receipt = Receipt.objects.filter(brand=brand).earliest("pk")
    grant = Grant.objects.filter(brand=brand).earliest("pk")
    return {
        "group_id": target.target_group_id,
        "target_id": target.pk,
        "customer_id": member.customer.customer_id,
        "leaving_id": leaving.customer.customer_id,
        "newcomer_id": CustomerFactory(brand=brand, customer_id=810_000_001).customer_id,
        "period_id": cycle.pk,
        "period_name": cycle.ref_code,
        "event_id": Activity.objects.filter(customer=member.customer).earliest("pk").event_id,
        "receipt_cursor": encode_cursor(receipt),
        "now": brand.clock_at.isoformat(),
        "grant_cursor": encode_cursor(grant),
    }
