from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_

from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower

from targets.enums import KPIS_OF_ENTITY, Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.exact_json import ExactJSONField
from targets.models.brand import Brand, validate_time_zone

# Values are sums of exact decimals with three places (domain.md 6); 10^15 - 1 is the largest that is accepted.
MAX_VALUE = Decimal(10**15 - 1)
MAX_CYCLES = 1000  # what the tables can hold; the setting MAX_CYCLES may allow less
MAX_LEVELS = 10


class TargetGroup(models.Model):
    """A programme: a calendar of cycles, a kind, a time zone, and the targets that share the calendar."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="target_groups")
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True, help_text="An inactive group is frozen.")
    tracking_type = models.CharField(max_length=24, choices=TrackingType.choices)
    evaluation_type = models.CharField(
        max_length=24, choices=EvaluationType.choices, default=EvaluationType.FIXED_CALENDAR_WINDOW
    )
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone])
    frequency_type = models.CharField(max_length=12, choices=FrequencyType.choices, default=FrequencyType.CUSTOM)
    frequency = models.PositiveIntegerField(null=True, blank=True)
    recurring_cycles = models.IntegerField(null=True, blank=True, help_text="Kept and echoed; changes nothing.")
    cosmetic = ExactJSONField(
        default=dict, blank=True, editable=False, help_text="Published fields that are kept and echoed."
    )
    preferred_till_id = models.BigIntegerField(null=True, blank=True, help_text="Kept and echoed; changes nothing.")
    cycle_count = models.PositiveSmallIntegerField(help_text="Number of cycles.")
    late_days = models.PositiveSmallIntegerField(
        default=0, help_text="Days after its end in which a new cycle is to accept late activity."
    )
    counts_before_enrolment = models.BooleanField(
        default=True,
        help_text="Whether activity before the first enrolment counts when it arrives afterwards.",
    )
    version = models.PositiveIntegerField(
        default=1,
        db_default=1,
        editable=False,
        help_text="Each change makes the next one; receipts are read at the version they were written at.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name = "target group"
        permissions = [("freeze_targetgroup", "Can freeze target groups and let them run again")]
        constraints = [
            models.UniqueConstraint(
                "brand",
                Lower("name"),
                name="target_group_name_unique",
                violation_error_message="The brand already has a target group of this name.",
            ),
            # Aim of the composite foreign key that keeps a target in its group's brand.
            models.UniqueConstraint(fields=["brand", "id"], name="target_group_brand_key"),
            models.CheckConstraint(
                condition=Q(cycle_count__gte=1, cycle_count__lte=MAX_CYCLES), name="target_group_cycle_count"
            ),
            models.CheckConstraint(
                condition=Q(tracking_type=TrackingType.DEFAULT)
                | Q(evaluation_type=EvaluationType.FIXED_CALENDAR_WINDOW),
                name="streak_has_fixed_calendar",
                violation_error_message="A streak runs in a calendar that is the same for everybody.",
            ),
            models.CheckConstraint(
                condition=~Q(evaluation_type=EvaluationType.CYCLIC_WINDOW) | Q(frequency__gte=1),
                name="cyclic_window_has_length",
                violation_error_message="The cycles of CYCLIC_WINDOW have a length: frequencyType and frequency.",
            ),
            models.CheckConstraint(
                condition=~Q(evaluation_type=EvaluationType.PERIOD_AGNOSTIC_WINDOW) | Q(late_days=0),
                name="period_agnostic_window_is_never_late",
                violation_error_message="In PERIOD_AGNOSTIC_WINDOW a cycle ends when it is achieved: late days are 0.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_streak(self) -> bool:
        return self.tracking_type != TrackingType.DEFAULT

    @property
    def has_own_calendars(self) -> bool:
        """Whether each customer has a calendar of his own; then the cycles of the group have no instants."""
        return self.evaluation_type != EvaluationType.FIXED_CALENDAR_WINDOW


class Inactivity(models.Model):
    """A time in which a target group was inactive, half-open [began_at, ended_at): a cycle that ended within it breaks
    no streak (domain.md 6)."""

    target_group = models.ForeignKey(TargetGroup, on_delete=models.PROTECT, related_name="inactivities")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    began_by = models.CharField(max_length=150)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name_plural = "inactivities"
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")), name="inactivity_ends_after_it_began"
            ),
            # At most one is open: two without an end overlap. Serves "did this cycle end within one?" too.
            ExclusionConstraint(
                name="inactivities_never_overlap",
                expressions=[
                    (Func(F("target_group"), F("target_group"), Value("[]"), function="int8range"), "&&"),
                    (Func(F("began_at"), F("ended_at"), function="tstzrange"), "&&"),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"Inactive from {self.began_at:%Y-%m-%d %H:%M} to {self.ended_at or 'now'}"


class Cycle(models.Model):
    """One evaluation window, half-open [starts_at, ends_at); on the wire a *period*.

    Where customers have calendars of their own the row has a number and a name, but no instants: those are each
    customer's, and `enrollments.calendars` fills them into a copy that is never saved.
    """

    target_group = models.ForeignKey(TargetGroup, on_delete=models.PROTECT, related_name="cycles")
    number = models.PositiveSmallIntegerField()
    ref_code = models.CharField("name", max_length=100)
    description = models.CharField(max_length=255, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    late_days = models.PositiveSmallIntegerField(
        default=0, help_text="Days after its end in which this cycle still accepts late activity."
    )
    closes_at = models.DateTimeField(
        null=True, blank=True, help_text="End plus late days: from then on no activity counts."
    )
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When the closing job barred the cycle.")
    paid_through = models.BigIntegerField(default=0, help_text="Participations up to this id are paid.")
    paid_at = models.DateTimeField(null=True, blank=True, help_text="When its period-end rewards were all given.")

    class Meta:
        ordering = ["target_group", "number"]
        constraints = [
            models.UniqueConstraint(fields=["target_group", "number"], name="cycle_number_unique"),
            models.UniqueConstraint(
                "target_group",
                Lower("ref_code"),
                name="cycle_name_unique",
                violation_error_message="The target group already has a period of this name.",
            ),
            models.CheckConstraint(condition=Q(number__gte=1, number__lte=MAX_CYCLES), name="cycle_number_range"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="cycle_ends_after_start",
                violation_error_message="A period ends after it starts.",
            ),
            models.CheckConstraint(condition=Q(closes_at__gte=F("ends_at")), name="cycle_closes_after_end"),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=False, ends_at__isnull=False, closes_at__isnull=False)
                | Q(starts_at=None, ends_at=None, closes_at=None, closed_at=None, paid_at=None),
                name="cycle_instants_all_or_none",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("closes_at")), name="cycle_closed_when_due"
            ),
            models.CheckConstraint(
                condition=Q(paid_at=None) | Q(closed_at__isnull=False, paid_at__gte=F("closed_at")),
                name="cycle_paid_after_closed",
            ),
            # Core GiST has range types only: the group becomes a range of one number, no extension is needed.
            ExclusionConstraint(
                name="cycles_never_overlap",
                expressions=[
                    (Func(F("target_group"), F("target_group"), Value("[]"), function="int8range"), "&&"),
                    (Func(F("starts_at"), F("ends_at"), function="tstzrange"), "&&"),
                ],
                condition=Q(starts_at__isnull=False),
                violation_error_message="Two periods overlap.",
            ),
        ]
        indexes = [
            # close_cycles: what is due and not paid, over all brands. Small: paid cycles leave it.
            models.Index(fields=["closes_at"], name="cycle_due", condition=Q(paid_at=None)),
            # Every call: the first cycle that ends after now.
            models.Index(fields=["target_group", "ends_at"], name="cycle_by_end"),
            # Each leave: has this cycle been closed, or any after it? However many are to come, none of them is read.
            models.Index(fields=["target_group", "number"], name="cycle_closed", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.ref_code

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Start and end, of a calendar that is the same for everybody."""
        if self.starts_at is None or self.ends_at is None:
            raise ValueError(f"Cycle {self.number} has no instants: they are each customer's own.")
        return self.starts_at, self.ends_at

    def has_begun(self, at: datetime) -> bool:
        return self.starts_at is not None and self.starts_at <= at

    def has_ended(self, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at

    def is_closed(self, at: datetime) -> bool:
        """Whether it accepts no activity at `at`, be it that nobody has closed it yet."""
        return self.closed_at is not None or (self.closes_at is not None and self.closes_at <= at)

    def is_running(self, at: datetime) -> bool:
        return self.has_begun(at) and not self.has_ended(at)


class Target(models.Model):
    """What is measured in each cycle."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="targets")
    target_group = models.ForeignKey(TargetGroup, on_delete=models.PROTECT, related_name="targets")
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True)
    entity = models.CharField(
        max_length=32, choices=Entity.choices, default=Entity.TRANSACTION, help_text="On the wire targetEntity."
    )
    kpi = models.CharField("KPI", max_length=16, choices=Kpi.choices)
    attribute_name = models.CharField(
        max_length=100, blank=True, help_text="The attribute that EVENT_ATTRIBUTE adds up; empty for all others."
    )
    event_name = models.CharField(
        max_length=100, blank=True, help_text="Counts activities of this name; empty: of any."
    )
    match = ExactJSONField(
        default=dict, blank=True, help_text="Counts activities whose attributes fit all of this; empty: any."
    )
    cosmetic = ExactJSONField(
        default=dict, blank=True, editable=False, help_text="Published fields that are kept and echoed."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "brand",
                Lower("name"),
                name="target_name_unique",
                violation_error_message="The brand already has a target of this name.",
            ),
            # Aim of the composite foreign keys that keep a participation and a grant in one brand.
            models.UniqueConstraint(fields=["brand", "id"], name="target_brand_key"),
            models.CheckConstraint(
                condition=reduce(or_, (Q(entity=each, kpi__in=kpis) for each, kpis in KPIS_OF_ENTITY.items())),
                name="target_kpi_of_entity",
                violation_error_message="This KPI cannot be measured of this entity.",
            ),
            models.CheckConstraint(
                condition=(Q(kpi=Kpi.EVENT_ATTRIBUTE) & ~Q(attribute_name=""))
                | (~Q(kpi=Kpi.EVENT_ATTRIBUTE) & Q(attribute_name="")),
                name="target_attribute_if_added_up",
                violation_error_message="EVENT_ATTRIBUTE names the attribute that it adds up, no other KPI does.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TargetValue(models.Model):
    """The value to reach in one cycle, and when its reward is given."""

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="values")
    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="target_values")
    value = models.DecimalField(max_digits=18, decimal_places=3, validators=[MinValueValidator(Decimal("0.001"))])
    allocation = models.CharField(max_length=12, choices=Allocation.choices, default=Allocation.IMMEDIATE)

    class Meta:
        ordering = ["cycle__number"]
        constraints = [
            models.UniqueConstraint(fields=["target", "cycle"], name="target_value_unique"),
            models.CheckConstraint(
                condition=Q(value__gt=0, value__lte=MAX_VALUE),
                name="target_value_positive",
                violation_error_message="A target value is greater than 0 and at most 10^15 - 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} in {self.cycle}: {self.value}"


class StreakLevel(models.Model):
    """A count of cycles that is rewarded."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+")
    target_group = models.ForeignKey(TargetGroup, on_delete=models.PROTECT, related_name="levels")
    name = models.CharField(max_length=200)
    target_count = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["target_group", "target_count"]
        constraints = [
            models.UniqueConstraint(fields=["target_group", "target_count"], name="level_count_unique"),
            models.UniqueConstraint(
                "brand",
                Lower("name"),
                name="level_name_unique",
                violation_error_message="The brand already has a level of this name.",
            ),
            models.CheckConstraint(
                condition=Q(target_count__gte=1, target_count__lte=MAX_CYCLES), name="level_count_range"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.target_count})"
