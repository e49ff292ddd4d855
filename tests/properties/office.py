"""What the brand does to a programme or a customer as a whole: freezing and erasing (domain.md 7, privacy.md)."""

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from tests.properties.history import History
from tests.properties.programme import Inactivity, Outcome, Programme, Refusal

GROUP_NOT_FOUND = 310017
TARGET_NOT_FOUND = 310018
CUSTOMER_NOT_FOUND = 310011


class Office(History, ABC):
    """Freezing is told to each customer of the target, erasing to each target of the customer."""

    def __init__(self, programme: Programme) -> None:
        super().__init__(programme)
        self._barred: set[int] = set()
        self._is_target_active = True
        self.is_erased = False

    @abstractmethod
    def unenroll(self, *, at: datetime, scheduled: bool = False, even_if_inactive: bool = False) -> Outcome: ...

    # Freezing (domain.md 7)

    @property
    def is_group_active(self) -> bool:
        return all(each.ended_at is not None for each in self._inactivities)

    def set_group_active(self, is_active: bool, *, at: datetime) -> bool:
        """Freeze the group or let it run; whether that changed anything. Never back into what has happened."""
        if self.is_group_active == is_active:
            return False
        at = max([at, *(each.ended_at or each.began_at for each in self._inactivities)])
        if is_active:
            self._inactivities[-1] = replace(self._inactivities[-1], ended_at=at)
        else:
            self._inactivities.append(Inactivity(began_at=at))
        return True

    def set_target_active(self, is_active: bool) -> bool:
        """The same for the target alone. The calendar goes on, and so do the chains that break."""
        has_changed = self._is_target_active != is_active
        self._is_target_active = is_active
        return has_changed

    @property
    def is_frozen(self) -> bool:
        return self._frozen() is not None

    def _frozen(self) -> int | None:
        """What enrolling and leaving answer while it is frozen; the group is looked at first (domain.md 5)."""
        if not self.is_group_active:
            return GROUP_NOT_FOUND
        return None if self._is_target_active else TARGET_NOT_FOUND

    def _refuse_frozen_or_erased(self, even_if_inactive: bool = False, *, of_erased: int = CUSTOMER_NOT_FOUND) -> None:
        """In this order. Staff who say so are let through what is frozen."""
        frozen = self._frozen()
        if frozen is not None and not even_if_inactive:
            raise Refusal(frozen)
        if self.is_erased:
            raise Refusal(of_erased)

    # Editing (domain.md 7): see editing.py

    def has_barred(self, cycle: int) -> bool:
        return cycle in self._barred

    # Erasing (privacy.md)

    def erase(self, *, at: datetime) -> Outcome | None:
        """Out of it, also where it is frozen; None where there is nothing to leave. All else stays as it is.

        What has become of a target in which he never was does not matter, so `at` cannot be too old for it.
        """
        outcome = None
        if self._stays:
            with suppress(Refusal):
                outcome = self.unenroll(at=at, even_if_inactive=True)
        self.is_erased = True
        return outcome
