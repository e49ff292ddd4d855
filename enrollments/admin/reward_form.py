"""The form that changes what a programme gives, and what it says of a change (domain.md 6 and 7)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms

from enrollments.operations import promised
from rewards.admin.forms import RewardForm
from rewards.admin.refusals import in_words
from rewards.enums import RewardKind
from rewards.models import Reward
from rewards.operations import RewardData
from rewards.wording import given, given_in_detail
from targets.errors import DomainError
from targets.exact_json import ExactJSONEncoder
from targets.fields import without_trailing_zeros
from targets.models import Cycle, StreakLevel, Target, TargetGroup
from targets.queries import as_id

GIVES_NOTHING = ("", "Nothing")
NOTHING_OF_ITS_OWN = ("", "Nothing of its own")
WITHOUT_ITS_OWN = "Without a reward of its own the cycle gives what the target gives."
STAYS = "What was given stays as it was given, and what was achieved before is not paid again."
AT_CLOSE = "Where the reward is given when a cycle closes, that is what is promised when it closes."
OWN_STAY = "Cycles with a reward of their own keep it."


@dataclass(frozen=True)
class Place:
    """What a reward is for: reaching a level, one cycle, or each cycle of the target that has none of its own."""

    target: Target
    level: StreakLevel | None = None
    cycle: Cycle | None = None

    def __str__(self) -> str:
        if self.level is not None:
            return f"{self.target.name} at level {self.level.name}"
        return f"{self.target.name} in {self.cycle.ref_code}" if self.cycle is not None else self.target.name

    @property
    def has_closed(self) -> bool:
        """Whether it pays nothing more."""
        return self.cycle is not None and self.cycle.closed_at is not None

    @property
    def named(self) -> dict[str, int]:
        """As addresses and hidden fields name it."""
        named = {"target": self.target.pk}
        if self.level is not None:
            named["level"] = self.level.pk
        if self.cycle is not None:
            named["cycle"] = self.cycle.number
        return named

    @property
    def query(self) -> str:
        return urlencode(self.named)

    def promised(self) -> RewardData | None:
        return promised(self.target, self.level, self.cycle)


class Places:
    """All that a programme can give a reward for, in a constant number of statements."""

    def __init__(self, group: TargetGroup) -> None:
        self.group = group
        self.targets = {each.pk: each for each in group.targets.order_by("pk")}
        self.levels = {each.pk: each for each in group.levels.order_by("target_count")} if group.is_streak else {}
        self.cycles = {} if group.is_streak else {each.number: each for each in group.cycles.order_by("number")}

    @property
    def open_cycles(self) -> list[Cycle]:
        return [each for each in self.cycles.values() if each.closed_at is None]

    def find(self, named: Mapping[str, Any]) -> Place | None:
        """None where the programme has no such place."""
        target = self.targets.get(as_id(named.get("target", "")) or 0)
        level = self.levels.get(as_id(named.get("level", "")) or 0)
        cycle = self.cycles.get(as_id(named.get("cycle", "")) or 0)
        is_wrong = (cycle is None and "cycle" in named) or (
            level is None and ("level" in named or self.group.is_streak)
        )
        return None if target is None or is_wrong else Place(target, level, cycle)

    def promises(self) -> Iterator[tuple[Place, Reward | None]]:
        """What is promised now: of each target and level, and of each cycle that has a reward of its own."""
        rewards = Reward.objects.filter(target__in=self.targets, retired_at=None)
        now = {(each.target_id, each.level_id, each.cycle_id): each for each in rewards}
        for target in self.targets.values():
            if self.group.is_streak:
                for level in self.levels.values():
                    yield Place(target, level), now.get((target.pk, level.pk, None))
                continue
            yield Place(target), now.get((target.pk, None, None))
            for cycle in self.cycles.values():
                if own := now.get((target.pk, None, cycle.pk)):
                    yield Place(target, cycle=cycle), own


class RewardChangeForm(RewardForm):
    """`named` says for what: one place, or with “own” a target and a cycle that are chosen here."""

    target = forms.ChoiceField(label="Target")
    cycle = forms.ChoiceField(label="Cycle", help_text="Those that have not closed.")
    field_order = ("target", "cycle")

    def __init__(self, places: Places, named: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> None:
        self.is_choosing = "own" in named and not places.group.is_streak
        self.place = places.find(named) if not self.is_choosing or "cycle" in named else None
        self.before = self.place.promised() if self.place is not None else None
        super().__init__(data, initial=_initial(self.before))
        if self.is_choosing:
            self._offer(places)
        else:
            del self.fields["target"], self.fields["cycle"]
        of_cycle = self.is_choosing or (self.place is not None and self.place.cycle is not None)
        self.fields["kind"].label = "What is given"
        self.fields["kind"].help_text = WITHOUT_ITS_OWN if of_cycle else ""
        _choose(self.fields["kind"], [NOTHING_OF_ITS_OWN if of_cycle else GIVES_NOTHING, *RewardKind.choices])

    def _offer(self, places: Places) -> None:
        """A cycle that closes while somebody types is refused by the operation, in its words."""
        cycles = [(each.number, each.ref_code) for each in places.cycles.values()]
        still_open = [(each.number, each.ref_code) for each in places.open_cycles]
        _choose(self.fields["target"], [(pk, each.name) for pk, each in places.targets.items()])
        _choose(self.fields["cycle"], cycles, still_open)
        if self.place is not None:
            self.initial.update(self.place.named)

    @property
    def carried(self) -> list[tuple[str, Any]]:
        """For hidden fields: for what the reward is, where it is not chosen here."""
        if self.is_choosing:
            return [("own", "1")]
        return list(self.place.named.items()) if self.place is not None else []

    def clean(self) -> dict[str, Any]:
        """Where a reward was, choosing nothing takes it away, whatever still stands beside it."""
        if self.before is not None and self.cleaned_data.get("kind") == "":
            return self.cleaned_data
        return super().clean()

    def refuse(self, refusal: DomainError) -> None:
        """Show a refusal of the operation beside the field that it names."""
        name = (refusal.field or "").removeprefix("reward.")
        self.add_error(name if name in self.fields else None, in_words(refusal.message))


def _choose(field: Any, choices: list[Any], offered: list[Any] | None = None) -> None:
    """Take what is in `choices`, and show what is `offered`; the first where nothing was chosen."""
    field.choices = choices
    field.widget.choices = choices if offered is None else offered
    field.initial = next((key for key, _ in field.widget.choices), None)


def _initial(before: RewardData | None) -> dict[str, Any]:
    if before is None:
        return {}
    return {
        "kind": before.kind,
        "name": before.name,
        "value": None if before.value is None else format(without_trailing_zeros(before.value), "f"),
        "payload": ExactJSONEncoder(ensure_ascii=False).encode(before.payload) if before.payload else "",
    }


def sentences(place: Place, after: RewardData | None) -> list[str]:
    """What the change means, for whoever is to confirm it."""
    before = place.promised()
    said = f"From now on {place} gives"
    if place.cycle is None:
        change = f"{said} {given_in_detail(after, before)} instead of {given(before)}."
    else:
        for_all = promised(place.target)
        as_ever = f"what {place.target.name} gives in each cycle without a reward of its own: {given(for_all)}"
        if after is None:
            change = f"{said} no more {given(before)}, but {as_ever}."
        elif before is None:
            change = f"{said} {given_in_detail(after, for_all)} instead of {as_ever}."
        else:
            change = f"{said} {given_in_detail(after, before)} instead of {given(before)}."
    if place.level is not None:
        return [change, STAYS]
    return [change, STAYS, AT_CLOSE] if place.cycle is not None else [change, OWN_STAY, STAYS, AT_CLOSE]
