"""A programme, an instant, and customers in every situation that the tables can hold, drawn at random but steered.

Rows are written as they are, without the operations that lead to them: whatever the tables take has to be decided the
same by whoever decides.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

from django.db.models import F

from enrollments.enums import ReceiptKind, Source
from enrollments.models import Participation, Progress, Receipt, Run, Stay
from rewards.models import Grant, Reward
from targets.enums import Allocation, TrackingType
from targets.models import Customer, Inactivity, Target, TargetGroup, TargetValue
from tests.factories import START, BrandFactory, make_programme

CYCLES = 6
LENGTH = timedelta(days=10)
HOUR = timedelta(hours=1)
CUSTOMERS = 20
ALLOCATIONS = (Allocation.PERIOD_END, Allocation.PERIOD_END, Allocation.IMMEDIATE)
LONG_AGO = START - timedelta(days=2)


class Ending(NamedTuple):
    """How a stay ends: not at all, or left, or scheduled for the end of a cycle."""

    end_cycle: int | None = None
    left_at: datetime | None = None
    leaves_after: int | None = None


class Situations:
    """`target`, the instant `at`, and `numbers` of customers; some of them are unknown."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        self.brand = BrandFactory()
        self.gap = self.draw.choice((timedelta(0), timedelta(days=5)))
        self.kind = (TrackingType.STREAKS, TrackingType.DEFAULT, self.draw.choice(list(TrackingType)))[seed % 3]
        self.is_streak = self.kind != TrackingType.DEFAULT
        self.target = self._programme()
        self.cycles = list(self.target.target_group.cycles.order_by("number"))
        self.at = self._instant()
        self.running = next((each.number for each in self.cycles if each.ends_at > self.at), None)
        self._be_inactive()
        if seed % 4 == 2:
            self._freeze()
        if seed % 8 == 7:  # paid already: whoever asks comes too late
            closed = self.target.target_group.cycles.filter(number__lte=self.running or CYCLES)
            closed.update(closed_at=F("closes_at"), paid_at=F("closes_at"))
        self.numbers = list(range(1, CUSTOMERS + 1))
        for target in (self.target, self._other_target(), self._other_brand()):
            self._fill(target)

    def _programme(self) -> Target:
        at_once = Allocation.IMMEDIATE
        return make_programme(
            brand=self.brand,
            cycles=CYCLES,
            cycle_length=LENGTH,
            gap=self.gap,
            tracking_type=self.kind,
            allocation=[at_once if self.is_streak else self.draw.choice(ALLOCATIONS) for _ in range(CYCLES)],
            target_value=[Decimal(self.draw.choice((2, 3))) for _ in range(CYCLES)],
            levels=(2, 3) if self.is_streak else (),
            rewarded=self.draw.random() < 0.8,
        )

    def _other_target(self) -> Target:
        """Of the same group, for the same customers: none of it may matter."""
        first = self.target
        other = Target.objects.create(
            brand=self.brand, target_group=first.target_group, name="Decoy", kpi=first.kpi, event_name="purchase"
        )
        TargetValue.objects.bulk_create(
            TargetValue(target=other, cycle=each, value=1, allocation=Allocation.IMMEDIATE) for each in self.cycles
        )
        Reward.objects.bulk_create(
            Reward(target=other, level=each.level, name="Decoy", kind=each.kind, value=1, created_at=START)
            for each in first.rewards.all()
        )
        return other

    def _other_brand(self) -> Target:
        """With customers of the same numbers."""
        levels = (2, 3) if self.is_streak else ()
        return make_programme(cycles=CYCLES, cycle_length=LENGTH, tracking_type=self.kind, levels=levels)

    def _instant(self) -> datetime:
        """Mostly amid one of the later cycles, at its very start or end, or between two; else before or after all."""
        cycle = self.draw.choice(self.cycles[1:] + 2 * self.cycles[3:])
        if self.draw.random() < 0.15:
            return self.draw.choice((self.cycles[0].starts_at - HOUR, self.cycles[-1].ends_at))
        return self.draw.choice(
            (
                *(cycle.starts_at + share * LENGTH for share in (0, 0.2, 0.4, 0.6, 0.8)),
                *(cycle.ends_at + later for later in (-HOUR, timedelta(0), timedelta(0), HOUR)),
            )
        )

    def _be_inactive(self) -> None:
        """At the end of some cycles that have ended."""
        Inactivity.objects.bulk_create(
            Inactivity(
                target_group=self.target.target_group,
                began_at=cycle.ends_at - self.draw.choice((timedelta(0), HOUR)),
                ended_at=cycle.ends_at + self.draw.choice((timedelta(0), HOUR)),
                began_by="test",
                ended_by="test",
            )
            for cycle in self.cycles
            if cycle.ends_at < self.at and self.draw.random() < 0.3
        )

    def _freeze(self) -> None:
        group = self.target.target_group
        if self.draw.random() < 0.5:
            Target.objects.filter(pk=self.target.pk).update(is_active=False)
        else:
            TargetGroup.objects.filter(pk=group.pk).update(is_active=False)
            Inactivity.objects.create(target_group=group, began_at=self.at, began_by="test")

    def _fill(self, target: Target) -> None:
        known = [number for number in self.numbers if self.draw.random() < 0.95]
        brand = target.brand
        have = {each.customer_id for each in Customer.objects.filter(brand=brand)}
        Customer.objects.bulk_create(Customer(brand=brand, customer_id=each) for each in known if each not in have)
        enrolled = [each for each in Customer.objects.filter(brand=brand) if self.draw.random() < 0.95]
        runs = {each.pk: self.draw.choice((1, 2)) if self.is_streak else 1 for each in enrolled}
        participations = Participation.objects.bulk_create(
            Participation(
                brand=brand,
                target=target,
                customer=each,
                run_number=runs[each.pk],
                first_enrolled_at=LONG_AGO,
                changed_at=self.at + self.draw.choice((-HOUR, -HOUR, -HOUR, -HOUR, timedelta(0), HOUR)),
            )
            for each in enrolled
        )
        Run.objects.bulk_create(
            Run(participation=each, number=number + 1, started_at=LONG_AGO)
            for each in participations
            for number in range(each.run_number)
        )
        self._stay(participations)
        self._progress(participations)

    def _stay(self, participations: list[Participation]) -> None:
        """None to three stays, one after the other, most of them with an end; perhaps in an earlier run."""
        reached = {each.pk: 1 for each in participations}
        runs = {each.pk: self.draw.choice((1, 1, each.run_number)) for each in participations}
        goes_on = [each for each in participations if self.draw.random() < 0.95]
        for last in (False, False, True):
            stays = Stay.objects.bulk_create(
                Stay(
                    participation=each,
                    run_number=runs[each.pk],
                    first_cycle=self._joined(reached[each.pk]),
                    enrolled_at=LONG_AGO,
                )
                for each in goes_on
                if reached[each.pk] <= CYCLES
            )
            ends = {each.pk: self._ending(each, last=last) for each in stays}
            receipts = Receipt.objects.bulk_create(
                self._receipt(stay, ends[stay.pk]) for stay in stays if ends[stay.pk].end_cycle is not None
            )
            for receipt in receipts:
                stay, end = receipt.stay, ends[receipt.stay_id]
                stay.end_cycle, stay.left_at, stay.leaves_after = end
                stay.leave_receipt = receipt
                reached[stay.participation_id] = receipt.end_cycle
                runs[stay.participation_id] = self.draw.randint(stay.run_number, stay.participation.run_number)
            Stay.objects.bulk_update(
                [each.stay for each in receipts], ["end_cycle", "left_at", "leaves_after", "leave_receipt"]
            )
            ended = {each.participation_id for each in receipts}
            goes_on = [each for each in goes_on if each.pk in ended and self.draw.random() < 0.8]

    def _joined(self, reached: int) -> int:
        """Where he left last, or one cycle later, or about now."""
        now = (self.running or CYCLES) + self.draw.choice((-1, 0, 1))
        return min(CYCLES, max(reached, self.draw.choice((reached, reached + 1, now))))

    def _ending(self, stay: Stay, *, last: bool) -> Ending:
        chance = self.draw.random()
        if chance < (0.6 if last else 0.3):
            return Ending()
        if chance < (0.9 if last else 0.4):
            after = min(max(1, (self.running or CYCLES) + self.draw.choice((-1, -1, 0, 0, 1))), CYCLES)
            return Ending(max(after + 1, stay.first_cycle), None, after)
        end = min(stay.first_cycle + self.draw.randint(0, 2), CYCLES + 1)
        return Ending(end, self.at - self.draw.choice((timedelta(0), HOUR)), None)

    def _receipt(self, stay: Stay, end: Ending) -> Receipt:
        return Receipt(
            brand_id=stay.participation.brand_id,
            participation=stay.participation,
            stay=stay,
            kind=ReceiptKind.UNENROLLED if end.leaves_after is None else ReceiptKind.LEAVE_SCHEDULED,
            effective_at=LONG_AGO,
            recorded_at=LONG_AGO,
            source=Source.API,
            actor="before",
            request_id="before",
            run_number=stay.run_number,
            cycle_count=CYCLES,
            from_cycle=end.end_cycle or 0,
            first_cycle=stay.first_cycle,
            end_cycle=end.end_cycle,
            running_cycle=1,
            running_value=0,
            running_verdict="left",
        )

    def _progress(self, participations: list[Participation]) -> None:
        """Around the value of each cycle, with and without an achievement; grants of cycles, and of levels."""
        rows, grants = [], []
        rewards = list(Reward.objects.filter(target__in={each.target_id for each in participations}))
        values = {each.cycle.number: each.value for each in self.target.values.select_related("cycle")}
        # (of the target asked about: the others' values do not matter)
        for each in participations:
            for number in range(1, CYCLES + 1):
                for run in range(1, each.run_number + 1):
                    if self.draw.random() < 0.85:
                        value = values[number] + self.draw.choice((-1, Decimal("-0.001"), 0, 0, 1))
                        achieved = self.draw.choice((value >= values[number],) * 4 + (False, True))
                        rows.append(
                            Progress(
                                participation=each,
                                run_number=run,
                                cycle_number=number,
                                value=value,
                                achieved_at=self.at - HOUR if achieved else None,
                            )
                        )
            grants += self._grants(each, rewards)
        Progress.objects.bulk_create(rows)
        Grant.objects.bulk_create(grants)

    def _grants(self, participation: Participation, rewards: list[Reward]) -> list[Grant]:
        """Of some cycles of a milestone, or of the levels of a streak, reached in any cycle."""
        cycles = self.draw.sample(range(1, CYCLES + 1), 2)
        paid = zip(cycles, rewards if self.is_streak else rewards * 3, strict=False)
        return [
            Grant(
                brand_id=participation.brand_id,
                customer=participation.customer,
                target=participation.target,
                cycle_number=cycle,
                run_number=1,
                level=reward.level,
                allocation=Allocation.IMMEDIATE,
                reward=reward,
                reward_name=reward.name,
                reward_kind=reward.kind,
                achieved_at=LONG_AGO,
                granted_at=LONG_AGO,
            )
            for cycle, reward in paid
        ]
