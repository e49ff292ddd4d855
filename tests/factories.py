"""Rows for tests. `make_programme` makes a whole programme; the rest make one row each."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Max
from factory.django import DjangoModelFactory

from enrollments.models import Participation, Run
from enrollments.operations import set_group_active
from rewards.enums import RewardKind
from rewards.models import Reward
from targets.access import Role
from targets.credentials import digest, password_to_send
from targets.enums import Allocation, EvaluationType, FrequencyType, Kpi, SecretForm, TrackingType
from targets.models import ApiUser, Brand, Customer, Cycle, StreakLevel, Target, TargetGroup, TargetValue

START = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "a-secret-of-a-test"


class BrandFactory(DjangoModelFactory):
    class Meta:
        model = Brand

    name = factory.Sequence(lambda n: f"Brand {n}")


class UserFactory(DjangoModelFactory):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"user{n}")


class ApiUserFactory(DjangoModelFactory):
    """May do everything the API offers; the secret is `SECRET`."""

    class Meta:
        model = ApiUser
        skip_postgeneration_save = True

    user = factory.SubFactory(UserFactory)
    brand = factory.SubFactory(BrandFactory)
    secret_form = SecretForm.PLAIN
    secret_digest = factory.LazyAttribute(lambda each: digest(password_to_send(SECRET, each.secret_form)))

    @factory.post_generation
    def with_default_access(self, create: bool, extracted: bool | None, **kwargs: object) -> None:
        if create and extracted is not False:
            self.user.groups.add(Group.objects.get(name=Role.DEFAULT_ACCESS))


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    brand = factory.SubFactory(BrandFactory)
    customer_id = factory.Sequence(lambda n: 1000 + n)


_numbers = iter(range(1, 10**9))


def make_programme(
    *,
    brand: Brand | None = None,
    cycles: int = 5,
    starts_at: datetime = START,
    cycle_length: timedelta = timedelta(days=30),
    gap: timedelta = timedelta(0),
    tracking_type: TrackingType = TrackingType.DEFAULT,
    kpi: Kpi = Kpi.COUNT,
    allocation: Allocation | list[Allocation] = Allocation.IMMEDIATE,
    target_value: Decimal | list[Decimal] = Decimal(3),
    levels: tuple[int, ...] = (),
    rewarded: bool = True,
    late_days: int = 0,
    counts_before_enrolment: bool = True,
    event_name: str = "purchase",
    time_zone: str = "UTC",
    name: str | None = None,
    window: EvaluationType = EvaluationType.FIXED_CALENDAR_WINDOW,
    length: tuple[FrequencyType, int] = (FrequencyType.CUSTOM, 30),
) -> Target:
    """A target in a group of its own, with cycles c1, c2, ..., values, levels and rewards of 100 points.

    In another `window` each customer has a calendar of his own, with cycles of `length`.
    """
    brand = brand or BrandFactory()
    name = name or f"Programme {next(_numbers)}"
    group = TargetGroup.objects.create(
        brand=brand,
        name=name,
        tracking_type=tracking_type,
        evaluation_type=window,
        frequency_type=length[0],
        frequency=length[1],
        time_zone=time_zone,
        cycle_count=cycles,
        late_days=late_days,
        counts_before_enrolment=counts_before_enrolment,
    )
    target = Target.objects.create(brand=brand, target_group=group, name=name, kpi=kpi, event_name=event_name)
    allocations = allocation if isinstance(allocation, list) else [allocation] * cycles
    values = target_value if isinstance(target_value, list) else [target_value] * cycles
    starts = [starts_at + index * (cycle_length + gap) for index in range(cycles)]
    is_fixed = window == EvaluationType.FIXED_CALENDAR_WINDOW
    rows = Cycle.objects.bulk_create(
        Cycle(
            target_group=group,
            number=number,
            ref_code=f"c{number}",
            starts_at=start if is_fixed else None,
            ends_at=start + cycle_length if is_fixed else None,
            late_days=late_days,
            closes_at=start + cycle_length + timedelta(days=late_days) if is_fixed else None,
        )
        for number, start in enumerate(starts, 1)
    )
    TargetValue.objects.bulk_create(
        TargetValue(target=target, cycle=cycle, value=value, allocation=when)
        for cycle, value, when in zip(rows, values, allocations, strict=True)
    )
    level_rows = StreakLevel.objects.bulk_create(
        StreakLevel(brand=brand, target_group=group, name=f"{name}, level {count}", target_count=count)
        for count in levels
    )
    if rewarded:
        rewarded_levels: list[StreakLevel | None] = list(level_rows) if group.is_streak else [None]
        Reward.objects.bulk_create(
            Reward(
                target=target,
                level=level,
                name="100 points",
                kind=RewardKind.POINTS,
                value=Decimal(100),
                created_at=starts_at,
            )
            for level in rewarded_levels
        )
    return target


def own_rewards(target: Target) -> None:
    """Each cycle pays a reward of its own: 1 point in c1, 2 in c2, ..."""
    cycles = target.target_group.cycles.all()
    Reward.objects.bulk_create(
        Reward(
            target=target,
            cycle=cycle,
            name=f"Of {cycle.ref_code}",
            kind=RewardKind.POINTS,
            value=Decimal(cycle.number),
            created_at=cycle.starts_at,
        )
        for cycle in cycles
    )


def participation_without_stay(customer: Customer, target: Target, at: datetime = START) -> Participation:
    """In run 1, as no operation leaves one behind: without a stay or a receipt."""
    participation = Participation.objects.create(
        brand=target.brand, customer=customer, target=target, run_number=1, first_enrolled_at=at, changed_at=at
    )
    Run.objects.create(participation=participation, number=1, started_at=at)
    return participation


def freeze(target_group: TargetGroup) -> None:
    """Make it inactive, as from its beginning, or from the last thing that somebody did in it."""
    done = Participation.objects.filter(target__target_group=target_group).aggregate(last=Max("changed_at"))
    set_group_active(target_group=target_group, is_active=False, at=max(START, done["last"] or START), by="test")
