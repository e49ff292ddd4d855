"""What defining a target group would be refused for, known before anything is written."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Value
from django.db.models.functions import Lower

from targets.errors import NameTaken
from targets.models import Brand, StreakLevel, Target, TargetGroup
from targets.operations.programmes import GroupData, refuse_impossible


def refuse_target_group(*, brand: Brand, data: GroupData, at: datetime) -> None:
    """Raise what `create_target_group` would raise at `at`, naming the very field. Writes nothing.

    The name may still be taken before the group is made: the constraints are the guarantee.
    """
    refuse_impossible(data, at)
    _refuse_taken(brand, TargetGroup, [data.name], "target group", "name")
    _refuse_taken(brand, Target, [each.name for each in data.targets], "target", "targets[{}].name")
    _refuse_taken(brand, StreakLevel, [each.name for each in data.levels], "streak level", "streaks[{}].name")
    _refuse_twice([each.ref_code for each in data.periods], "Another cycle has this name.", "periods[{}].refCode")


def _refuse_taken(
    brand: Brand,
    model: type[TargetGroup] | type[Target] | type[StreakLevel],
    names: Sequence[str],
    noun: str,
    path: str,
) -> None:
    _refuse_twice(names, f"Another {noun} here has this name.", path)
    named = model._default_manager.filter(brand=brand).annotate(lowered=Lower("name"))
    taken = set(named.filter(lowered__in=[Lower(Value(name)) for name in names]).values_list("lowered", flat=True))
    for index, name in enumerate(names):
        if name.lower() in taken:
            raise NameTaken(f"The brand already has a {noun} of this name: choose another.", field=path.format(index))


def _refuse_twice(names: Sequence[str], sentence: str, path: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.lower() in seen:
            raise NameTaken(f"{sentence} Choose another, upper and lower case are the same.", field=path.format(index))
        seen.add(name.lower())
