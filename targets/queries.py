import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Lower

from targets.errors import CustomerNotFound, TargetGroupNotFound, TargetNotFound
from targets.models import Brand, Customer, Inactivity, Target, TargetGroup
from targets.models.customer import BARE_MOBILE
from targets.pseudonyms import erased_digest
from targets.rows import Row, parse_array

LARGEST_ID = 2**63 - 1
MOST_NAMESAKES = 1_000  # customers with the same external id or address
PHONE = re.compile(r"[0-9\s+()./-]+")
BESIDE_DIGITS = re.compile(r"^[^0-9]*00|[^0-9]")  # as `BARE_MOBILE` has it
PSEUDONYM = re.compile(r"erased ([0-9]+)", re.IGNORECASE)


def ended_while_inactive() -> Exists:
    """Of a cycle: whether its group was inactive in the last instant before its end (domain.md 6).

    Frozen at the very end it was over already, and somebody may have counted on that; so that changes nothing.
    """
    return Exists(
        Inactivity.objects.filter(target_group=OuterRef("target_group"), began_at__lt=OuterRef("ends_at")).filter(
            Q(ended_at=None) | Q(ended_at__gte=OuterRef("ends_at"))
        )
    )


def as_id(text: str) -> int | None:
    """The number that `text` is, if a row can have it as its id."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))
    return int(text) if is_number and 0 < int(text) <= LARGEST_ID else None


def find_target_group(brand: Brand, target_group_id: int, *, include_inactive: bool = False) -> TargetGroup:
    """Raises `TargetGroupNotFound`. Another brand's id looks exactly like an unknown one."""
    group = None
    if 0 < target_group_id <= LARGEST_ID:
        group = TargetGroup.objects.filter(brand=brand, pk=target_group_id).first()
    if group is None or not (group.is_active or include_inactive):
        raise group_not_found(target_group_id)
    return group


def find_target(brand: Brand, target_group_id: int, target_id: int, *, include_inactive: bool = False) -> Target:
    """The target with its group. Another brand's ids look exactly like unknown ones (domain.md 5).

    Raises `TargetGroupNotFound`, `TargetNotFound`.
    """
    target = None
    if 0 < target_group_id <= LARGEST_ID and 0 < target_id <= LARGEST_ID:
        targets = Target.objects.select_related("target_group").filter(target_group__brand=brand)
        target = targets.filter(pk=target_id, target_group=target_group_id).first()
    if target is None:
        find_target_group(brand, target_group_id, include_inactive=include_inactive)
        raise target_not_found(target_group_id, target_id)
    if not include_inactive:
        is_group_active = target.target_group.is_active
        refuse_inactive(target, is_group_active=is_group_active, is_target_active=target.is_active)
    target.brand = target.target_group.brand = brand
    return target


def refuse_inactive(target: Target, *, is_group_active: bool, is_target_active: bool) -> None:
    """Raises `TargetGroupNotFound`, `TargetNotFound`, with the sentences of ids that are not found."""
    if not is_group_active:
        raise group_not_found(target.target_group_id)
    if not is_target_active:
        raise target_not_found(target.target_group_id, target.pk)


def group_not_found(target_group_id: int) -> TargetGroupNotFound:
    return TargetGroupNotFound(f"Target group {target_group_id} is not found or inactive.")


def target_not_found(target_group_id: int, target_id: int) -> TargetNotFound:
    return TargetNotFound(f"Target {target_id} is not found, inactive, or not in target group {target_group_id}.")


def find_target_by_id(brand: Brand, target_id: int) -> Target:
    """The target with its group, whichever that is, also if it is inactive. Raises `TargetNotFound`."""
    target = None
    if 0 < target_id <= LARGEST_ID:
        target = Target.objects.select_related("target_group").filter(brand=brand, pk=target_id).first()
    if target is None:
        raise TargetNotFound(f"Target {target_id} is not found.")
    return target


def find_customer(brand: Brand, customer_id: int) -> Customer:
    """Raises `CustomerNotFound`, also for a number out of range; of an erased customer it says so."""
    customer = None
    if 0 < customer_id <= LARGEST_ID:
        customer = Customer.objects.filter(brand=brand, customer_id=customer_id).first()
    if customer is None:
        erased = find_erased(brand, customer_id)
        if erased is not None:
            raise CustomerNotFound(f"Invalid user id. {erased_on(customer_id, erased.erased_at)}")
        raise CustomerNotFound(f"Invalid user id: this brand has no customer {customer_id}.")
    customer.brand = brand
    return customer


class Named(NamedTuple):
    """An enrolment as a call names it: nothing of it has been looked up."""

    brand: Brand
    target_group_id: int
    target_id: int
    customer_id: int

    @property
    def may_exist(self) -> bool:
        """Whether rows can have these ids."""
        return all(0 < each <= LARGEST_ID for each in self[1:])


# What the function of migration 0034 answers, in its order: what calls about one enrolment ask for, and no more.
GROUP_FIELDS = (
    "id",
    "brand_id",
    "name",
    "is_active",
    "tracking_type",
    "evaluation_type",
    "time_zone",
    "frequency_type",
    "frequency",
    "cycle_count",
    "late_days",
    "counts_before_enrolment",
    "version",
)
TARGET_FIELDS = ("id", "brand_id", "target_group_id", "name", "is_active", "entity", "kpi", "event_name")
CUSTOMER_FIELDS = ("id", "brand_id", "customer_id", "erased_at")
FIND_NAMES = "SELECT names::text FROM find_names(%s, %s, %s, %s)"


def find_target_and_customer(named: Named, *, include_inactive: bool = False) -> tuple[Target, Customer]:
    """As `find_target` and then `find_customer`, by one statement; what they raise, in this order."""
    if named.may_exist:
        brand, *ids = named
        using = router.db_for_read(Target)
        with connections[using].cursor() as cursor:
            cursor.execute(FIND_NAMES, [brand.pk, *ids])
            (names,) = cursor.fetchone()
        target, customer = target_and_customer(parse_array(names), brand, using)
        if target is not None and customer is not None and (include_inactive or is_active(target)):
            return target, customer
    return find_one_by_one(named, include_inactive=include_inactive)


def target_and_customer(
    names: Sequence[Any], brand: Brand, using: str = DEFAULT_DB_ALIAS
) -> tuple[Target | None, Customer | None]:
    """The `names` that `find_names` answers, as rows; None for what there is not."""
    row = Row(names, using, is_json=True)
    group = row.take(TargetGroup, GROUP_FIELDS, brand=brand)
    target = row.take(Target, TARGET_FIELDS, brand=brand, target_group=group)
    return target, row.take(Customer, CUSTOMER_FIELDS, brand=brand)


def is_active(target: Target) -> bool:
    return target.is_active and target.target_group.is_active


def find_one_by_one(named: Named, *, include_inactive: bool = False) -> tuple[Target, Customer]:
    """Where one statement has not found all: raises what is wrong with the names, in the order of api.md 4, or answers
    what they name if it has come meanwhile.
    """
    target = find_target(named.brand, named.target_group_id, named.target_id, include_inactive=include_inactive)
    return target, find_customer(named.brand, named.customer_id)


def find_erased(brand: Brand, customer_id: int) -> Customer | None:
    """The pseudonym of the customer who had this number, if he was erased."""
    return Customer.objects.filter(brand=brand, erased_digest=erased_digest(brand.pk, customer_id)).first()


def erased_on(customer_id: int | None, erased_at: datetime | None) -> str:
    """What every refusal says that concerns him: no more than the caller has to know."""
    who = "The customer" if customer_id is None else f"Customer {customer_id}"
    return f"{who} was erased on {erased_at:%Y-%m-%d} and cannot be registered or enrolled."


def customers_known_as(text: str, brands: Sequence[int] | None = None) -> list[int]:
    """Keys of the customers with exactly this number, external id, e-mail address, phone or pseudonym, in these brands
    or all.

    Every index on customers begins with the brand, so the brands are named: few, and each is one look-up. Keys, not
    a queryset: with them at hand a larger query has no choice but to look them up.
    """
    return list(look_ups_of(text, brands).values_list("pk", flat=True)[:MOST_NAMESAKES]) if "\x00" not in text else []


def look_ups_of(text: str, brands: Sequence[int] | None = None) -> QuerySet[Customer]:
    """One look-up for each index: of an OR the planner would take the brands out and read all their customers."""
    first, *others = exact_look_ups(text, brands).values()
    return first.union(*others)


def exact_look_ups(text: str, brands: Sequence[int] | None = None) -> dict[str, QuerySet[Customer]]:
    """By what somebody may be known just as `text` says, and who is: each by one index."""
    customers = Customer.objects.filter(brand__in=all_brands() if brands is None else brands)
    found = {"external id": customers.filter(external_id=text).exclude(external_id="")}
    if "@" in text:
        address = customers.alias(address=Lower("email")).filter(address=Lower(Value(text)))
        found["e-mail address"] = address.exclude(email="")
    if (number := as_id(text)) is not None:
        found["customer id"] = customers.filter(customer_id=number)
    if PHONE.fullmatch(text) and (bare := BESIDE_DIGITS.sub("", text)):
        found["phone"] = customers.alias(bare=BARE_MOBILE).filter(bare=bare).exclude(mobile="")
    if pseudonym := PSEUDONYM.fullmatch(text):
        found["pseudonym"] = customers.filter(pk=as_id(pseudonym[1]) or 0, erased_at__isnull=False)
    return found


def all_brands() -> list[int]:
    """Their ids: few, and every index on customers and activities begins with the brand."""
    return list(Brand.objects.values_list("pk", flat=True))
