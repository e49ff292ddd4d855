"""FastAPI and the asynchronous ORM of SQLAlchemy, in the style in which most such services are written.

A session for each request; rows are loaded as objects, changed, and flushed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import aliased, contains_eager, joinedload

from enrollments.decisions import CycleState, decide_leave
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
    Record,
    answer,
    new_service,
    now_of,
    record_of,
    refuse_missing,
    request_id_of,
)
from tests.benchmarks.peers.sqlalchemy_callers import api_user_of
from tests.benchmarks.peers.sqlalchemy_models import (
    Customer,
    Cycle,
    Grant,
    Participation,
    Progress,
    Receipt,
    Reflected,
    Reward,
    Stay,
    Target,
    TargetGroup,
    TargetValue,
)

engine = create_async_engine(
    make_url(DATABASE).set(drivername="postgresql+asyncpg"),
    pool_size=CONNECTIONS,
    max_overflow=0,
    connect_args={"server_settings": {"lock_timeout": "5s", "statement_timeout": "20s"}},
)
new_session = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    async with engine.connect() as connection:
        await connection.run_sync(Reflected.prepare)
    yield
    await engine.dispose()


async def session_of_request() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session_of_request)]
app = new_service(lifespan)


@app.post(PATH)
async def unenroll(
    request: Request, group_id: int, target_id: int, body: Body, session: Session, credentials: Credentials
) -> JSONResponse:
    record = record_of(body)
    try:
        forfeited = await carry_out(session, request, credentials, group_id, target_id, record)
    except StaleInstant:  # once more, with a later now
        await session.rollback()
        session.expunge_all()
        forfeited = await carry_out(session, request, credentials, group_id, target_id, record)
    return answer(request, int(record.customer_id), forfeited)


async def carry_out(
    session: AsyncSession, request: Request, credentials: Credentials, group_id: int, target_id: int, record: Record
) -> str | None:
    """All of the call in one transaction; the name of the period whose reward is forfeited by it."""
    caller = await api_user_of(session, credentials)
    target = await find_target(session, caller.brand_id, group_id, target_id)
    customer = await find_customer(session, caller.brand_id, int(record.customer_id))
    forfeited = await leave(session, request, caller, customer, target, record)
    await session.commit()
    return forfeited


async def find_target(session: AsyncSession, brand_id: int, group_id: int, target_id: int) -> Any:
    if not all(0 < each <= LARGEST_ID for each in (group_id, target_id)):
        refuse_missing(group_id, target_id, has_group=0 < group_id <= LARGEST_ID, has_target=False)
    target: Any = await session.scalar(
        select(Target)
        .join(Target.target_group)
        .options(contains_eager(Target.target_group))
        .where(
            Target.id == target_id,
            TargetGroup.id == group_id,
            TargetGroup.brand_id == brand_id,
            TargetGroup.tracking_type == "DEFAULT",
            TargetGroup.evaluation_type == "FIXED_CALENDAR_WINDOW",
        )
    )
    group = target.target_group if target is not None else await session.get(TargetGroup, group_id)
    refuse_missing(
        group_id,
        target_id,
        has_group=group is not None and group.brand_id == brand_id and group.is_active,
        has_target=target is not None and target.is_active,
    )
    return target


async def find_customer(session: AsyncSession, brand_id: int, customer_id: int) -> Any:
    customer = None
    if 0 < customer_id <= LARGEST_ID:
        wanted = select(Customer).where(Customer.brand_id == brand_id, Customer.customer_id == customer_id)
        customer = await session.scalar(wanted)
    if customer is None:
        raise CustomerNotFound(f"Invalid user id: this brand has no customer {customer_id}.")
    return customer


async def leave(
    session: AsyncSession, request: Request, caller: Any, customer: Any, target: Any, record: Record
) -> str | None:
    """Leave; the name of the period whose reward is forfeited by it. Raises `NotEnrolled`, `CycleNotFound`, and
    `StaleInstant` where `caller` is to ask again.
    """
    at = now_of(caller.brand.clock_at)
    group_id = target.target_group_id
    participation: Any = await session.scalar(
        select(Participation)
        .where(Participation.customer_id == customer.id, Participation.target_id == target.id)
        .with_for_update(key_share=True)
    )
    who = f"Customer {record.customer_id} is not enrolled in target {target.id}"
    if participation is None:
        raise NotEnrolled(f"{who}: he never was.")
    await session.execute(select(func.pg_advisory_xact_lock_shared(CALENDAR, group_id % 2**31)))
    if participation.changed_at > at:
        raise StaleInstant(at)
    stay: Any = await session.scalar(
        select(Stay).where(Stay.participation_id == participation.id).order_by(Stay.id.desc()).limit(1)
    )
    # After the locks, with target and group again: an edit that they waited for is seen.
    closed = aliased(Cycle)
    is_past = exists().where(
        closed.target_group_id == group_id, closed.number >= Cycle.number, closed.closed_at.is_not(None)
    )
    running = await session.execute(
        select(Cycle, is_past, Target)
        .join(Target, Target.target_group_id == Cycle.target_group_id)
        .options(joinedload(Target.target_group))
        .where(Target.id == target.id, Cycle.ends_at > at)
        .order_by(Cycle.ends_at)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    cycle, is_closed, _ = running.first() or (None, False, None)
    refuse_missing(group_id, target.id, has_group=target.target_group.is_active, has_target=target.is_active)
    if is_closed:
        raise StaleInstant(at)
    if stay.end_cycle is not None:
        left_at = stay.left_at
        if stay.leaves_after is not None:
            left_at = await session.scalar(
                select(Cycle.ends_at).where(Cycle.target_group_id == group_id, Cycle.number == stay.leaves_after)
            )
        if stay.leaves_after is None or at >= left_at:
            raise NotEnrolled(f"{who}: he left at {left_at:%Y-%m-%dT%H:%M:%S%z}.")
    effective = record.effective or Effective.NOW
    if effective == Effective.END_OF_CYCLE and stay.end_cycle is not None:
        return None  # scheduled already
    if cycle is None:
        raise CycleNotFound("Target period not found: the last period is over, nothing is left to leave.")
    state, is_rewarded = await state_of(session, participation, target, stay, cycle, at)
    decided = decide_leave(
        at=at,
        effective=effective,
        first_cycle=stay.first_cycle,
        running_cycle=cycle.number,
        running=state,
        is_rewarded=is_rewarded,
    )
    receipt = Receipt(
        brand_id=caller.brand_id,
        participation_id=participation.id,
        stay_id=stay.id,
        kind="UNENROLLED" if decided.leaves_after is None else "LEAVE_SCHEDULED",
        effective_at=at,
        recorded_at=at,
        source="API",
        actor=caller.user.username,
        reason=record.reason or "",
        request_id=request_id_of(request),
        address=request.client.host,
        credential=f"basic {caller.user.username}",
        run_number=stay.run_number,
        streak_count=0,
        cycle_count=target.target_group.cycle_count,
        programme_version=target.target_group.version,
        from_cycle=decided.end_cycle,
        first_cycle=stay.first_cycle,
        end_cycle_before=stay.end_cycle,
        end_cycle=decided.end_cycle,
        running_cycle=cycle.number,
        running_value=state.value,
        running_verdict=decided.running_verdict or Verdict.NOT_MEMBER,
        running_achieved_at=state.achieved_at,
        anchored_at=participation.anchored_at,
        ignored_fields=[],
    )
    session.add(receipt)
    stay.end_cycle, stay.left_at, stay.leaves_after = decided.end_cycle, decided.left_at, decided.leaves_after
    stay.leave_receipt = receipt
    participation.changed_at = at
    return cycle.ref_code if decided.running_verdict == Verdict.LEFT_REWARD_FORFEITED else None


async def state_of(
    session: AsyncSession, participation: Any, target: Any, stay: Any, cycle: Any, at: datetime
) -> tuple[CycleState, bool]:
    """What is known of the running cycle, and whether it is rewarded."""
    given = exists().where(
        Grant.customer_id == participation.customer_id,
        Grant.target_id == target.id,
        Grant.cycle_number == cycle.number,
        Grant.level_id.is_(None),
    )
    promised = exists().where(
        Reward.target_id == target.id,
        Reward.level_id.is_(None),
        or_(Reward.cycle_id == cycle.id, Reward.cycle_id.is_(None)),
        or_(Reward.is_from_start, Reward.created_at <= at),
        or_(Reward.retired_at.is_(None), Reward.retired_at > at),
    )
    his = and_(
        Progress.participation_id == participation.id,
        Progress.run_number == stay.run_number,
        Progress.cycle_number == cycle.number,
    )
    found = await session.execute(
        select(TargetValue, Progress, given, promised)
        .outerjoin(Progress, his)
        .where(TargetValue.target_id == target.id, TargetValue.cycle_id == cycle.id)
    )
    target_value, progress, is_granted, is_rewarded = found.one()
    state = CycleState(
        value=progress.value if progress else Decimal(0),
        target_value=target_value.value,
        allocation=Allocation(target_value.allocation),
        achieved_at=progress.achieved_at if progress else None,
        is_granted=is_granted,
    )
    return state, is_rewarded
