"""FastAPI and hand-written SQL over asyncpg, which keeps statements prepared: the peer to come close to.

Six round trips, BEGIN and COMMIT among them: target and customer; lock; load; write. One more where it is not known who
calls. Connections are not reset when they go back to the pool, as nothing is left in their sessions: that would be one
more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from enrollments.decisions import CycleState, Leave, decide_leave
from enrollments.enums import Effective, Verdict
from targets.enums import Allocation
from targets.errors import CustomerNotFound, CycleNotFound, NotEnrolled, StaleInstant
from tests.benchmarks.peers.conventions import (
    CALENDAR,
    CONNECTIONS,
    DATABASE,
    LARGEST_ID,
    PATH,
    Body,
    Credentials,
    NotAuthenticated,
    NotPermitted,
    RecentCallers,
    Record,
    answer,
    is_right,
    new_service,
    now_of,
    record_of,
    refuse_missing,
    request_id_of,
)

FIND_CALLER = """
SELECT person.username, api_user.brand_id, brand.clock_at,
       api_user.secret_digest, api_user.former_digest, api_user.former_until,
       api_user.is_active AND person.is_active AND brand.is_active AS is_active,
       person.is_superuser OR EXISTS (
         SELECT FROM auth_permission permission
           JOIN django_content_type content_type ON content_type.id = permission.content_type_id
          WHERE content_type.app_label = 'enrollments' AND permission.codename = 'unenroll'
            AND (EXISTS (
                   SELECT FROM auth_user_groups member JOIN auth_group_permissions granted USING (group_id)
                    WHERE member.user_id = person.id AND granted.permission_id = permission.id)
              OR EXISTS (
                   SELECT FROM auth_user_user_permissions own
                    WHERE own.user_id = person.id AND own.permission_id = permission.id))) AS may_unenroll
  FROM auth_user person
  JOIN targets_apiuser api_user ON api_user.user_id = person.id
  JOIN targets_brand brand ON brand.id = api_user.brand_id
 WHERE person.username = $1
"""
FIND_PLACE = """
SELECT target_group.is_active AS is_group_active, target.is_active AS is_target_active, customer.id AS customer_id
  FROM targets_targetgroup target_group
  LEFT JOIN targets_target target ON target.target_group_id = target_group.id AND target.id = $3
  LEFT JOIN targets_customer customer ON customer.brand_id = target_group.brand_id AND customer.customer_id = $4
 WHERE target_group.brand_id = $1 AND target_group.id = $2
   AND target_group.tracking_type = 'DEFAULT' AND target_group.evaluation_type = 'FIXED_CALENDAR_WINDOW'
"""
# The row first, then the calendar: what locks rows is never merged into the query around it.
LOCK = """
SELECT participation.*, pg_advisory_xact_lock_shared($3, $4)
  FROM (SELECT id, changed_at, anchored_at FROM enrollments_participation
         WHERE customer_id = $1 AND target_id = $2 FOR NO KEY UPDATE) participation
"""
# After the locks, in a statement of its own: it sees what was committed while they were waited for.
LOAD = """
SELECT target_group.is_active AS is_group_active, target_group.cycle_count, target_group.version,
       target.is_active AS is_target_active,
       stay.id AS stay_id, stay.run_number, stay.first_cycle, stay.end_cycle, stay.left_at, stay.leaves_after,
       (SELECT last.ends_at FROM targets_cycle last
         WHERE last.target_group_id = target_group.id AND last.number = stay.leaves_after) AS leave_ends_at,
       cycle.number, cycle.ref_code,
       EXISTS (SELECT FROM targets_cycle later
                WHERE later.target_group_id = target_group.id AND later.number >= cycle.number
                  AND later.closed_at IS NOT NULL) AS is_past,
       target_value.value AS target_value, target_value.allocation,
       progress.value, progress.achieved_at,
       EXISTS (SELECT FROM rewards_grant given
                WHERE given.customer_id = $5 AND given.target_id = target.id
                  AND given.cycle_number = cycle.number AND given.level_id IS NULL) AS is_granted,
       EXISTS (SELECT FROM rewards_reward reward
                WHERE reward.target_id = target.id AND reward.level_id IS NULL
                  AND (reward.cycle_id = cycle.id OR reward.cycle_id IS NULL)
                  AND (reward.is_from_start OR reward.created_at <= $4)
                  AND (reward.retired_at IS NULL OR reward.retired_at > $4)) AS is_rewarded
  FROM targets_target target
  JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
  LEFT JOIN LATERAL (SELECT * FROM enrollments_stay WHERE participation_id = $3 ORDER BY id DESC LIMIT 1) stay ON true
  LEFT JOIN LATERAL (SELECT * FROM targets_cycle
                      WHERE target_group_id = $1 AND ends_at > $4 ORDER BY ends_at LIMIT 1) cycle ON true
  LEFT JOIN targets_targetvalue target_value ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
  LEFT JOIN enrollments_progress progress ON progress.participation_id = $3
        AND progress.run_number = stay.run_number AND progress.cycle_number = cycle.number
 WHERE target.id = $2 AND target.target_group_id = $1
"""
WRITE = """
WITH receipt AS (
  INSERT INTO enrollments_receipt (
    brand_id, participation_id, stay_id, kind, effective_at, recorded_at, source, actor, reason, request_id, address,
    credential, run_number, streak_count, cycle_count, programme_version, from_cycle, first_cycle, end_cycle_before,
    end_cycle, running_cycle, running_value, running_verdict, running_achieved_at, anchored_at, ignored_fields)
  VALUES ($1, $2, $3, $4, $5, $5, 'API', $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16, $14, $17, $18, $19, $20,
          $21, '{}')
  RETURNING id
), stay AS (
  UPDATE enrollments_stay SET end_cycle = $14, left_at = $22, leaves_after = $23, leave_receipt_id = receipt.id
    FROM receipt WHERE enrollments_stay.id = $3
)
UPDATE enrollments_participation SET changed_at = $5 WHERE id = $2
"""


recent_callers = RecentCallers()


async def keep_session(connection: Any) -> None:
    """Nothing is left in a session: there is nothing to reset."""


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    timeouts = {"lock_timeout": "5s", "statement_timeout": "20s"}
    async with asyncpg.create_pool(
        DATABASE, min_size=CONNECTIONS, max_size=CONNECTIONS, reset=keep_session, server_settings=timeouts
    ) as pool:
        service.state.pool = pool
        yield


app = new_service(lifespan)


@app.post(PATH)
async def unenroll(
    request: Request, group_id: int, target_id: int, body: Body, credentials: Credentials
) -> JSONResponse:
    async with app.state.pool.acquire() as connection:
        caller = await authenticated(connection, credentials)
        record = record_of(body)
        customer_id = int(record.customer_id)
        customer = await find_customer(connection, caller["brand_id"], group_id, target_id, customer_id)
        origin = [caller["username"], record.reason or "", request_id_of(request), request.client.host]
        for is_last in (False, True):
            try:
                async with connection.transaction():
                    forfeited = await leave(connection, caller, customer, group_id, target_id, record, origin)
                return answer(request, customer_id, forfeited)
            except StaleInstant:
                if is_last:
                    raise
    raise AssertionError


async def authenticated(connection: Any, credentials: Credentials) -> Any:
    """The caller. Raises `NotAuthenticated`, `NotPermitted`."""
    if credentials is None:
        raise NotAuthenticated
    if (recent := recent_callers.find(credentials)) is not None:
        return recent
    caller = await connection.fetchrow(FIND_CALLER, credentials.username)
    digests = (caller["secret_digest"], caller["former_digest"], caller["former_until"]) if caller else ("", "", None)
    if not is_right(credentials.password, *digests) or not caller["is_active"]:
        raise NotAuthenticated
    if not caller["may_unenroll"]:
        raise NotPermitted
    recent_callers.keep(credentials, caller)
    return caller


async def find_customer(connection: Any, brand_id: int, group_id: int, target_id: int, customer_id: int) -> int:
    """The key of the customer, after group and target were found. Raises what is not found."""
    known = all(0 < each <= LARGEST_ID for each in (group_id, target_id))
    wanted = customer_id if 0 < customer_id <= LARGEST_ID else 0
    place = await connection.fetchrow(FIND_PLACE, brand_id, group_id, target_id, wanted) if known else None
    refuse_missing(
        group_id,
        target_id,
        has_group=place is not None and place["is_group_active"],
        has_target=place is not None and bool(place["is_target_active"]),
    )
    key: int | None = place["customer_id"]
    if key is None:
        raise CustomerNotFound(f"Invalid user id: this brand has no customer {customer_id}.")
    return key


async def leave(
    connection: Any, caller: Any, customer: int, group_id: int, target_id: int, record: Record, origin: list[str]
) -> str | None:
    """Leave; the name of the period whose reward is forfeited by it. Raises `NotEnrolled`, `CycleNotFound`, and
    `StaleInstant` where `caller` is to ask again.
    """
    at = now_of(caller["clock_at"])
    participation = await connection.fetchrow(LOCK, customer, target_id, CALENDAR, group_id % 2**31)
    who = f"Customer {record.customer_id} is not enrolled in target {target_id}"
    if participation is None:
        raise NotEnrolled(f"{who}: he never was.")
    if participation["changed_at"] > at:
        raise StaleInstant(at)
    found = await connection.fetchrow(LOAD, group_id, target_id, participation["id"], at, customer)
    refuse_missing(group_id, target_id, has_group=found["is_group_active"], has_target=found["is_target_active"])
    if found["is_past"]:
        raise StaleInstant(at)
    left_at = found["leave_ends_at"] or found["left_at"]
    if found["end_cycle"] is not None and (found["leave_ends_at"] is None or at >= left_at):
        raise NotEnrolled(f"{who}: he left at {left_at:%Y-%m-%dT%H:%M:%S%z}.")
    effective = record.effective or Effective.NOW
    if effective == Effective.END_OF_CYCLE and found["end_cycle"] is not None:
        return None  # scheduled already
    if found["number"] is None:
        raise CycleNotFound("Target period not found: the last period is over, nothing is left to leave.")
    decided = decide_leave(
        at=at,
        effective=effective,
        first_cycle=found["first_cycle"],
        running_cycle=found["number"],
        running=CycleState(
            value=found["value"] or Decimal(0),
            target_value=found["target_value"],
            allocation=Allocation(found["allocation"]),
            achieved_at=found["achieved_at"],
            is_granted=found["is_granted"],
        ),
        is_rewarded=found["is_rewarded"],
    )
    await write(connection, caller, participation, found, decided, at, origin)
    return found["ref_code"] if decided.running_verdict == Verdict.LEFT_REWARD_FORFEITED else None


async def write(
    connection: Any, caller: Any, participation: Any, found: Any, decided: Leave, at: datetime, origin: list[str]
) -> None:
    username, reason, request_id, address = origin
    await connection.execute(
        WRITE,
        caller["brand_id"],
        participation["id"],
        found["stay_id"],
        "UNENROLLED" if decided.leaves_after is None else "LEAVE_SCHEDULED",
        at,
        username,
        reason,
        request_id,
        address,
        f"basic {username}",
        found["run_number"],
        found["cycle_count"],
        found["version"],
        decided.end_cycle,
        found["first_cycle"],
        found["end_cycle"],
        found["number"],
        found["value"] or Decimal(0),
        decided.running_verdict or Verdict.NOT_MEMBER,
        found["achieved_at"],
        participation["anchored_at"],
        decided.left_at,
        decided.leaves_after,
    )
