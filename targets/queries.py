from targets.errors import CustomerNotFound, TargetGroupNotFound, TargetNotFound
from targets.models import Brand, Customer, Target, TargetGroup

LARGEST_ID = 2**63 - 1


def find_target_group(brand: Brand, target_group_id: int, *, include_inactive: bool = False) -> TargetGroup:
    """Raises `TargetGroupNotFound`. Another brand's id looks exactly like an unknown one."""
    group = None
    if 0 < target_group_id <= LARGEST_ID:
        group = TargetGroup.objects.filter(brand=brand, pk=target_group_id).first()
    if group is None or not (group.is_active or include_inactive):
        raise TargetGroupNotFound(f"Target group {target_group_id} is not found or inactive.")
    return group


def find_target(brand: Brand, target_group_id: int, target_id: int, *, include_inactive: bool = False) -> Target:
    """The target with its group. Another brand's ids look exactly like unknown ones (domain.md 5).

    Raises `TargetGroupNotFound`, `TargetNotFound`.
    """
    group = find_target_group(brand, target_group_id, include_inactive=include_inactive)
    target = None
    if 0 < target_id <= LARGEST_ID:
        target = Target.objects.filter(target_group=group, pk=target_id).first()
    if target is None or not (target.is_active or include_inactive):
        raise TargetNotFound(f"Target {target_id} is not found, inactive, or not in target group {target_group_id}.")
    target.target_group = group
    target.brand = brand
    return target


def find_customer(brand: Brand, customer_id: int) -> Customer:
    """Raises `CustomerNotFound`, also for a number out of range."""
    customer = None
    if 0 < customer_id <= LARGEST_ID:
        customer = Customer.objects.filter(brand=brand, customer_id=customer_id).first()
    if customer is None:
        raise CustomerNotFound(f"Invalid user id: this brand has no customer {customer_id}.")
    customer.brand = brand
    return customer
