from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from rewards.enums import RewardKind
from targets.enums import Allocation
from targets.exact_json import ExactJSONField
from targets.feeds import TransactionId
from targets.models import Brand, Customer, Cycle, StreakLevel, Target


def _one_number(expression: Combinable) -> Func:
    """Core GiST has range types only: a number becomes the range of just it."""
    return Func(expression, expression, Value("[]"), function="int8range")


class Reward(models.Model):
    """What a target pays per cycle, or a streak level when it is reached. At most one at a time.

    A cycle with a reward of its own pays that, and not the target's. Promised in [created_at, retired_at). Never edited
    once it paid: a new definition retires the old one, so what a grant promised stays readable.
    """

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="rewards")
    level = models.ForeignKey(StreakLevel, null=True, blank=True, on_delete=models.PROTECT, related_name="rewards")
    cycle = models.ForeignKey(Cycle, null=True, blank=True, on_delete=models.PROTECT, related_name="rewards")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=RewardKind.choices)
    value = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    payload = ExactJSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150, blank=True)
    retired_by = models.CharField(max_length=150, blank=True)
    is_from_start = models.BooleanField(
        "from the start",
        default=True,
        help_text="Promised before anybody was enrolled, so before anything could be achieved.",
    )

    class Meta:
        constraints = [
            # Serves "what is promised now" for a target, its levels and its cycles.
            models.UniqueConstraint(
                fields=["target", "level", "cycle"],
                condition=Q(retired_at=None),
                nulls_distinct=False,
                name="reward_one_at_a_time",
                violation_error_message="There is a reward already: retire it first.",
            ),
            models.CheckConstraint(
                condition=Q(retired_at=None) | Q(retired_at__gte=F("created_at")), name="reward_retired_after_made"
            ),
            models.CheckConstraint(
                condition=Q(level=None) | Q(cycle=None),
                name="reward_of_level_or_cycle",
                violation_error_message="A reward is for a level or for a period, not for both.",
            ),
            ExclusionConstraint(
                name="rewards_never_overlap",
                expressions=[
                    (_one_number(F("target")), "&&"),
                    (_one_number(Coalesce(F("level"), 0)), "&&"),
                    (_one_number(Coalesce(F("cycle"), 0)), "&&"),
                    (Func(F("created_at"), F("retired_at"), function="tstzrange"), "&&"),
                ],
                violation_error_message="At each instant one reward is promised.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """The immutable fact that a reward was given, with a snapshot of what was promised.

    A row is only ever added. The unique constraints are the guarantee that nothing is paid twice (domain.md 6).
    """

    # The composite keys grant_customer_in_brand and grant_target_in_brand imply these three, and each key would be
    # checked for each of the many grants of a close. Indexes of brand and customer are among those below.
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="grants", db_constraint=False, db_index=False
    )
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="grants", db_constraint=False)
    cycle_number = models.PositiveSmallIntegerField(help_text="The cycle that paid, or in which the level was reached.")
    run_number = models.PositiveSmallIntegerField()
    level = models.ForeignKey(StreakLevel, null=True, blank=True, on_delete=models.PROTECT, related_name="grants")
    allocation = models.CharField(max_length=12, choices=Allocation.choices)
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="grants")
    reward_name = models.CharField(max_length=200)
    reward_kind = models.CharField(max_length=8, choices=RewardKind.choices)
    reward_value = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    reward_payload = ExactJSONField(default=dict, blank=True)
    achieved_at = models.DateTimeField()
    granted_at = models.DateTimeField()
    # Feeds are read in order of (transaction, id): see docs/architecture.md, "Feeds".
    transaction_id = models.BigIntegerField(editable=False, db_default=TransactionId())

    class Meta:
        constraints = [
            # A cycle pays once, however often he leaves and returns. Serves "his grants in this target".
            models.UniqueConstraint(
                fields=["customer", "target", "cycle_number"],
                condition=Q(level=None),
                name="grant_once_per_cycle",
                violation_error_message="This cycle has paid already.",
            ),
            models.UniqueConstraint(
                fields=["customer", "target", "run_number", "level"],
                condition=Q(level__isnull=False),
                name="grant_once_per_level_and_run",
                violation_error_message="This level has paid already in this run.",
            ),
            models.CheckConstraint(
                condition=Q(level=None) | Q(allocation=Allocation.IMMEDIATE), name="grant_level_is_immediate"
            ),
            models.CheckConstraint(condition=Q(granted_at__gte=F("achieved_at")), name="grant_after_achievement"),
        ]
        indexes = [
            # GET /v3/rewardGrants
            models.Index(fields=["brand", "transaction_id", "id"], name="grant_feed"),
            # Admin and GET enrollments: a customer's grants.
            models.Index(fields=["customer", "-granted_at"], name="grant_by_customer"),
        ]

    def __str__(self) -> str:
        return self.reward_name
