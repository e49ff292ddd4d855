"""A receipt in words that may be handed to the customer: they name no member of staff, and give no reason of his."""

from collections.abc import Iterator

from enrollments.enums import ReceiptKind, Verdict
from enrollments.receipts import Account
from enrollments.templatetags.enrolments import of, spans
from targets.wording import instant

LEFT = f"{Verdict.LEFT} {Verdict.LEFT_REWARD_KEPT} {Verdict.LEFT_REWARD_FORFEITED}"


def for_customer(account: Account) -> str:
    """Line by line, as the receipt says it. Instants are in the time zone of the programme."""
    return "\n".join(_lines(account))


def _lines(account: Account) -> Iterator[str]:
    receipt = account.receipt
    target = receipt.participation.target
    zone = target.target_group.time_zone
    yield f"{target}: {receipt.get_kind_display().lower()} on {instant(receipt.effective_at, zone)} ({zone})."
    lost, kept, member = (
        of(account.cycles, each) for each in (Verdict.LEFT_REWARD_FORFEITED, Verdict.KEPT, Verdict.MEMBER)
    )
    left, paid = of(account.cycles, LEFT), of(account.cycles, Verdict.LEFT_REWARD_KEPT)
    if receipt.kind == ReceiptKind.LEAVE_SCHEDULED and kept and kept[-1].cycle.ends_at:
        yield f"Member until the end of {kept[-1].cycle.ref_code}, {instant(kept[-1].cycle.ends_at, zone)}."
    if lost:
        yield (
            f"Forfeited: the reward of {spans(lost)}. The target was reached, but the reward is given when the cycle "
            "closes, and the enrolment ended before."
        )
    if kept:
        yield f"Kept: {spans(kept)}, with what was earned there or will still be given at the close."
    if member:
        yield f"Member of: {spans(member)}."
    if left:
        yield f"Left: {spans(left)}." + (f" The reward given for {spans(paid)} stays." if paid else "")
    for level in account.levels:
        if level.grant:
            yield f"Kept: level {level.level.name}, {level.grant.reward_name}."
    yield f"Receipt {receipt.pk}."
