"""A brand twice: in the product, on a real database, and in the reference. Every change is made to both."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from django.db.models import Count

from enrollments.enums import Effective, NotCounted, Source
from enrollments.integrity import all_violations
from enrollments.models import EveryActivity, Participation, Receipt, Stay
from enrollments.operations import (
    ActivityData,
    archive_activities,
    cancel_leave,
    close_cycles,
    close_own_cycles,
    enroll,
    erase_customer,
    record_activity,
    set_group_active,
    set_target_active,
    undo_leave,
    unenroll,
)
from enrollments.queries import find_receipt
from enrollments.receipts import account, accounts
from enrollments.tally import tally
from rewards.enums import RewardKind
from rewards.operations import RewardData, define_programme
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.models import Brand, Customer, Target
from targets.operations import GroupData, LevelData, PeriodData, TargetData
from targets.queries import find_customer, find_target
from tests.factories import START
from tests.properties.counting import check_figures
from tests.properties.programme import CYCLIC, NOT_YET, Cycle
from tests.properties.reference import Reference
from tests.properties.strategies import ATTRIBUTE, Definition, Setting
from tests.properties.words import (
    NEVER_ENROLLED,
    Refused,
    agree,
    answer_of,
    everything,
    expected_facts,
    expected_view,
    outcome,
    outcomes,
    stored_facts,
    view,
    without_texts,
)

ACT = {"by": "machine", "source": Source.API, "reason": "because", "request_id": "r1"}
REWARD = RewardData("100 points", RewardKind.POINTS, Decimal(100))

Answer = TypeVar("Answer")

_numbers = count(1)


def period(cycle: Cycle) -> PeriodData:
    """Of personal calendars it has a name only."""
    known = [None if instant == NOT_YET else instant for instant in (cycle.starts_at, cycle.ends_at)]
    return PeriodData(f"c{cycle.number}", *known)


class Pair:
    """One customer and one target, as rows and as reference."""

    def __init__(self, customer: Customer, target: Target, definition: Definition) -> None:
        self.customer = customer
        self.target = target
        self.definition = definition
        self.reference = Reference(definition.programme)
        self.last_read: object = None

    @property
    def number(self) -> int:
        """By which the brand knows him; of somebody erased, by which it knew him."""
        return self.customer.customer_id


class World:
    """A fresh brand with the programmes and customers of a setting. `now` is what its doors would take for now."""

    def __init__(self, setting: Setting) -> None:
        number = next(_numbers)
        self.now = START - setting.begins_before
        self.brand = Brand.objects.create(
            name=f"Brand of history {number}",
            sandbox=setting.is_sandbox,
            clock_at=self.now if setting.is_sandbox else None,
        )
        self.customers = Customer.objects.bulk_create(
            Customer(brand=self.brand, customer_id=each) for each in range(1, setting.customers + 1)
        )
        self.definitions = setting.definitions
        self.targets = [self._define(index, each) for index, each in enumerate(setting.definitions)]
        self.pairs = [
            Pair(customer, target, definition)
            for customer in self.customers
            for target, definition in zip(self.targets, self.definitions, strict=True)
        ]
        self.delivered: list[tuple[ActivityData, dict[int, Any], NotCounted | None]] = []
        self._touched: list[Pair] = []
        self.written: dict[int, tuple] = {}  # receipt id -> how it read when it was written

    def _define(self, index: int, definition: Definition) -> Target:
        programme = definition.programme
        name = f"Programme {index}"
        is_streak = programme.is_streak
        is_cyclic = programme.window == CYCLIC
        made = define_programme(
            brand=self.brand,
            group=GroupData(
                name=name,
                tracking_type=TrackingType(programme.kind),
                time_zone=programme.time_zone,
                evaluation_type=EvaluationType(programme.window),
                periods=[period(each) for each in programme.cycles],
                frequency_type=FrequencyType(programme.frequency_type) if is_cyclic else FrequencyType.CUSTOM,
                frequency=programme.frequency if is_cyclic else None,
                targets=[
                    TargetData(
                        name=name,
                        kpi=Kpi(programme.kpi),
                        values=[each.target_value for each in programme.cycles],
                        entity=Entity.EVENT if programme.kpi == "EVENT_ATTRIBUTE" else Entity.TRANSACTION,
                        attribute_name=ATTRIBUTE if programme.kpi == "EVENT_ATTRIBUTE" else "",
                        event_name=definition.event_name,
                        match={} if definition.at_least is None else {ATTRIBUTE: {"atLeast": definition.at_least}},
                        allocation=Allocation(programme.allocation),
                    )
                ],
                levels=[LevelData(f"{name}, level {each}", each) for each in programme.levels],
                late_days=definition.late_days,
                counts_before_enrolment=programme.counts_before_enrolment,
            ),
            rewards=[REWARD if programme.rewarded and not is_streak else None],
            level_rewards=[REWARD if programme.rewarded else None for _ in programme.levels],
            at=START - timedelta(days=30),
            by="machine",
        )
        target = made.targets[0]
        target.target_group = made.group
        return target

    @property
    def boundaries(self) -> list[datetime]:
        """Starts, ends and closing instants of every cycle that are known, in order."""
        return sorted({instant for each in self.pairs for instant in each.reference.calendar.boundaries})

    @property
    def is_over(self) -> bool:
        return all(each.reference.calendar.is_over(self.now) for each in self.pairs)

    # Changes: each is made on both sides, and both must answer the same.

    def enroll(self, pair: Pair, *, period: int | None, balance: Decimal | None, reset: bool, at: datetime) -> None:
        expected = answer_of(lambda: pair.reference.enroll(at=at, cycle=period, balance=balance, reset=reset))
        # What is wrong in itself is refused before anything is looked up.
        is_wrong = balance is not None and balance < 0 and not pair.definition.programme.is_streak
        answer = answer_of(
            lambda: enroll(
                **self._known(pair) if is_wrong else self._found(pair),
                at=at,
                period_name=None if period is None else f"c{period}",
                initial_balance=balance,
                reset_streak=reset,
                **ACT,
            )
        )
        self._compare_receipts(answer, expected)
        self.check(pair)

    def preview(self, pair: Pair, *, scheduled: bool, at: datetime, by_staff: bool = False) -> None:
        """It must say what unenrolling would do, and write nothing."""
        leave = {"at": at, "even_if_inactive": by_staff}
        effective = Effective.END_OF_CYCLE if scheduled else Effective.NOW
        expected = answer_of(lambda: copy.deepcopy(pair.reference).unenroll(scheduled=scheduled, **leave))
        answer = answer_of(
            lambda: unenroll(**self._found(pair, by_staff), effective=effective, dry_run=True, **leave, **ACT)
        )
        self._compare_receipts(answer, expected, is_preview=True)
        self.check()

    def unenroll(self, pair: Pair, *, scheduled: bool, at: datetime, by_staff: bool = False) -> None:
        """`by_staff`: even if it is inactive."""
        leave = {"at": at, "even_if_inactive": by_staff}
        effective = Effective.END_OF_CYCLE if scheduled else Effective.NOW
        expected = answer_of(lambda: pair.reference.unenroll(scheduled=scheduled, **leave))
        answer = answer_of(lambda: unenroll(**self._found(pair, by_staff), effective=effective, **leave, **ACT))
        self._compare_receipts(answer, expected)
        self.check(pair)

    def cancel_leave(self, pair: Pair, *, at: datetime, by_staff: bool = False) -> None:
        leave = {"at": at, "even_if_inactive": by_staff}
        expected = answer_of(lambda: pair.reference.cancel_leave(**leave))
        answer = answer_of(lambda: cancel_leave(**self._found(pair, by_staff), **leave, **ACT))
        if isinstance(expected, Refused):
            expected = Refused(expected.code)  # nothing was scheduled: whether he left is beside the point
        self._compare_receipts(answer, expected)
        self.check(pair)

    def undo(self, pair: Pair, number: int, *, at: datetime) -> None:
        """Take the leave of his `number`th receipt back. First a dry run, which must foresee it and write nothing."""
        receipts = Receipt.objects.filter(participation__customer=pair.customer, participation__target=pair.target)
        receipt_id = receipts.order_by("pk").values_list("pk", flat=True)[number % len(pair.reference.changes)]
        number %= len(pair.reference.changes)

        def undo(dry_run: bool) -> Any:
            return undo_leave(receipt=find_receipt(self.brand, receipt_id), at=at, dry_run=dry_run, **ACT)

        foreseen = answer_of(lambda: undo(dry_run=True))
        self.check()
        expected = answer_of(lambda: pair.reference.undo(number, at=at))
        answer = answer_of(lambda: undo(dry_run=False))
        if isinstance(expected, Refused):
            agree(answer, expected)
            agree(foreseen, expected)
        else:
            receipt, counted = expected
            self._compare_receipts(answer.receipt, receipt)
            granted = sum(len(each.granted) for each in counted.values())
            agree((answer.counted, answer.granted), (len(counted), granted))
            agree((foreseen.counted, foreseen.granted, foreseen.receipt.pk), (len(counted), granted, None))
            for activity, outcomes_of_it, _ in self.delivered:
                if activity.event_id in counted:
                    outcomes_of_it[pair.target.pk] = counted[activity.event_id]
        self.check(pair)

    def set_group_active(self, target: Target, is_active: bool, *, at: datetime) -> None:
        """Overtaken, it takes effect at the last change of anybody in the group."""
        pairs = self._of(target)
        takes_effect_at = max([at, *(each.reference.changed_at or at for each in pairs)])
        expected = self._all(pairs, lambda each: each.set_group_active(is_active, at=takes_effect_at))[0]
        answer = answer_of(
            lambda: set_group_active(target_group=target.target_group, is_active=is_active, at=at, by="machine")
        )
        agree(answer, expected)
        self.check(*pairs)

    def set_target_active(self, target: Target, is_active: bool) -> None:
        pairs = self._of(target)
        expected = self._all(pairs, lambda each: each.set_target_active(is_active))[0]
        agree(set_target_active(target=target, is_active=is_active, at=self.now, by="machine"), expected)
        self.check(*pairs)

    def erase(self, customer: Customer, *, at: datetime) -> None:
        """Out of everything with a receipt each; asked for again it changes nothing, whenever that is."""
        pairs = [each for each in self.pairs if each.customer is customer]
        is_repeated = pairs[0].reference.is_erased
        expected: Any = ()
        if not is_repeated:
            expected = answer_of(lambda: self._all(pairs, lambda each: each.erase(at=at)))
        answer = answer_of(lambda: erase_customer(customer=customer, at=at, by="machine", source=Source.COMMAND))
        if isinstance(expected, Refused):
            agree(answer, expected)
        else:
            agree(answer.is_repeated, is_repeated)
            receipts = [receipt for receipt in expected if receipt is not None]
            agree(len(answer.receipts), len(receipts))
            for receipt, each in zip(answer.receipts, receipts, strict=True):
                receipt.refresh_from_db(fields=["reason", "request_id"])
                self._compare_receipts(receipt, each)
            self._empty_texts(customer)
        self.check(*pairs)

    def _empty_texts(self, customer: Customer) -> None:
        """What nobody may read any more."""
        for receipt in Receipt.objects.filter(participation__customer=customer):
            self.written[receipt.pk] = without_texts(self.written[receipt.pk])
        agree(EveryActivity.objects.filter(customer=customer).exclude(attributes={}).exists(), False)

    def _all(self, pairs: list[Pair], change: Callable[[Reference], Answer]) -> list[Answer]:
        """The same change of several references: of all, or, where one of them refuses, of none."""
        changed = [copy.deepcopy(each.reference) for each in pairs]
        answers = [change(each) for each in changed]
        for pair, reference in zip(pairs, changed, strict=True):
            pair.reference = reference
        return answers

    def _known(self, pair: Pair) -> dict[str, Any]:
        return {"customer": pair.customer, "target": pair.target}

    def _found(self, pair: Pair, include_inactive: bool = False) -> dict[str, Any]:
        """As the doors do, in the order in which they refuse: the group, the target, the customer."""
        target = find_target(self.brand, pair.target.target_group_id, pair.target.pk, include_inactive=include_inactive)
        return {"customer": find_customer(self.brand, pair.number), "target": target}

    def deliver(self, activity: ActivityData, *, at: datetime) -> None:
        """A new event: each target that it matches and he has been in answers for itself."""
        pairs = [each for each in self.pairs if each.number == activity.customer_id]
        if any(each.reference.is_erased for each in pairs):
            self._deliver_of_unknown(activity, at=at)
            return
        matching = [each for each in pairs if self._counts(each.definition, activity)]
        joined = [each for each in matching if each.reference.stays]
        answer = answer_of(lambda: record_activity(brand=self.brand, activity=activity, at=at))
        if any(each.reference.changed_at > at for each in joined):
            agree(answer, Refused("stale"))
        else:
            expected = {
                each.target.pk: each.reference.record(
                    at=at,
                    occurred_at=activity.occurred_at,
                    amount=activity.amount,
                    quantity=activity.quantity,
                    attribute=activity.attributes.get(ATTRIBUTE),
                    event_id=activity.event_id,
                )
                for each in joined
            }
            nowhere = None
            if not joined:
                nowhere = NotCounted.NOT_ENROLLED if self._is_counted_by_a_target(activity) else NotCounted.NO_TARGET
            agree(outcomes(answer), (expected, nowhere, False))
            self.delivered.append((activity, expected, nowhere))
        self.check(*joined)

    def deliver_again(self, index: int, content: dict[str, Any], *, at: datetime) -> None:
        """An event that is known: with the same content the first outcome is the answer; nothing changes."""
        activity, expected, nowhere = self.delivered[index % len(self.delivered)]
        again = ActivityData(**{**vars(activity), **content})
        if any(each.reference.is_erased for each in self.pairs if each.number == again.customer_id):
            self._deliver_of_unknown(again, at=at)
            return
        is_same = again == activity
        answer = answer_of(lambda: record_activity(brand=self.brand, activity=again, at=at))
        agree(
            outcomes(answer),
            (expected, nowhere, True) if is_same else ({}, NotCounted.EVENT_ID_CONFLICT, False),
        )
        self.check_all()

    def _deliver_of_unknown(self, activity: ActivityData, *, at: datetime) -> None:
        """Of somebody erased: it is not remembered, so its event may come again."""
        answer = answer_of(lambda: record_activity(brand=self.brand, activity=activity, at=at))
        agree(outcomes(answer), ({}, NotCounted.UNKNOWN_CUSTOMER, False))
        self.check()

    def close(self, *, at_most: int | None) -> None:
        """Close what is due, oldest first; `at_most`: the job is killed after so many."""
        due = sorted(
            (cycle.closes_at, target.pk, cycle.number)
            for target, definition in zip(self.targets, self.definitions, strict=True)
            if not definition.programme.has_personal_calendars
            for cycle in self._of(target)[0].reference.due(self.now)
        )
        due = due[:at_most]
        closed = []
        closing = close_cycles(brand=self.brand, at=self.now)
        for _ in due:
            each = next(closing)
            target = next(one for one in self.targets if one.target_group_id == each.cycle.target_group_id)
            closed.append((each.cycle.closes_at, target.pk, each.cycle.number))
            paid = sum([pair.reference.close(each.cycle.number) for pair in self._of(target)])
            agree(each.granted, paid)
        if at_most is None:
            agree([each.cycle.number for each in closing], [])
            self._close_personal_cycles()
            self._archive()
        closing.close()
        agree(sorted(closed), due)
        self.check_all()

    def _archive(self) -> None:
        """What can no longer change. Nobody is told anything else afterwards."""
        for _ in archive_activities(before=NOT_YET, brand=self.brand):
            pass

    def _close_personal_cycles(self) -> None:
        """Everybody's own cycles, whose closing instants differ."""
        personal = [each.reference for each in self.pairs if each.definition.programme.has_personal_calendars]
        if not personal:
            return
        paid = sum([reference.close(cycle.number) for reference in personal for cycle in reference.due(self.now)])
        agree(sum(each.granted for each in close_own_cycles(brand=self.brand, at=self.now)), paid)

    def _of(self, target: Target) -> list[Pair]:
        return [each for each in self.pairs if each.target is target]

    def _is_counted_by_a_target(self, activity: ActivityData) -> bool:
        return any(self._counts(each, activity) for each in self.definitions)

    def _counts(self, definition: Definition, activity: ActivityData) -> bool:
        return definition.counts(activity.event_name, activity.attributes.get(ATTRIBUTE))

    def _compare_receipts(self, answer: Any, expected: Any, *, is_preview: bool = False) -> None:
        if not isinstance(answer, Receipt):
            agree(answer, expected)
            return
        told = account(answer)
        agree(outcome(told), expected)
        if is_preview:
            return
        reads = everything(told)
        agree(reads, self.written.setdefault(answer.pk, reads))

    # Checks

    def check(self, *touched: Pair) -> None:
        """What the database holds of everybody. What the reading side says of those touched: see `check_reading`."""
        facts, receipts = stored_facts(self.brand)
        for each in self.pairs:
            agree(facts.get((each.customer.pk, each.target.pk), NEVER_ENROLLED), expected_facts(each.reference))
        agree(receipts, len(self.written))
        self._touched += [each for each in touched if each not in self._touched]

    def check_reading(self) -> None:
        """What the reading side says of those touched since it was last asked."""
        while self._touched:
            self._check_reading(self._touched.pop())

    def _check_reading(self, pair: Pair) -> None:
        """Nothing changed since it was last read, nor the clock: then it reads the same."""
        expected = expected_view(pair.reference, self.now)
        read = (expected_facts(pair.reference), expected)
        if not pair.reference.stays or pair.last_read == read:
            return
        participation = Participation.objects.get(customer=pair.customer, target=pair.target)
        participation.customer, participation.target = pair.customer, pair.target
        agree(view(participation, self.now), expected)
        pair.last_read = read

    def check_all(self) -> None:
        self.check(*self.pairs)
        self.check_reading()

    def check_invariants(self) -> None:
        """domain.md 9, over everything this history has written; its brand is its own."""
        agree(list(all_violations(self.brand)), [])
        for target in {each.target.pk: each.target for each in self.pairs}.values():
            check_figures(target, self.now)
        open_stays = Stay.objects.filter(participation__brand=self.brand, end_cycle=None)
        of_each = dict(open_stays.values_list("participation__target").annotate(Count("pk")))
        counted = tally(self.brand, self.now.date()).members
        agree({target: members for target, members in counted.items() if members}, of_each)

    def check_receipts(self) -> None:
        """Every receipt reads as it did when it was written."""
        rendered = accounts(list(Receipt.objects.filter(brand=self.brand).order_by("pk")))
        agree({each.receipt.pk: everything(each) for each in rendered}, self.written)
