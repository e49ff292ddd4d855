"""Taking units of an API user's quota out of the database, in one statement."""

from dataclasses import dataclass

from django.db import connection

from targets.models import QuotaUse

# What is still used of the quota in the window asked for: every window that has passed has paid one quota back.
# Under a lowered quota it is the same share of it, as the rest would be a debt; under a raised one the same units.
SHARE = "least(held.used, held.used * %(quota)s / held.quota)"
USED = f"greatest(0, {SHARE} - %(quota)s * greatest(0, %(window)s - held.window_number))"

# A process whose clock is a little ahead is already in the next window: then it is that one for the others too. Were
# it a lot ahead, the others would have to wait for it: so a window further away is taken for a wrong clock.
TAKE = f"""
INSERT INTO targets_quotause AS held (api_user_id, window_number, used, quota)
VALUES (%(api_user)s, %(window)s, %(units)s, %(quota)s)
ON CONFLICT (api_user_id) DO UPDATE SET
  used = {USED} + %(units)s,
  quota = %(quota)s,
  window_number = CASE WHEN held.window_number = %(window)s + 1 THEN held.window_number ELSE %(window)s END
WHERE {USED} < %(quota)s
RETURNING window_number, %(quota)s - used
"""  # noqa: S608 - made of constants only


@dataclass(frozen=True)
class Taken:
    """`units` out of `window`, of whose quota `remaining` are left, or less than none.

    No `units` if nothing was left; `window` is then the first in which something will be.
    """

    units: int
    window: int
    remaining: int


def take_units(*, api_user_id: int, quota: int, units: int, window: int) -> Taken:
    """Take `units` if any is left in the window, all or none of them, even if fewer are left.

    What is taken too much is missing in the windows that follow. So a bulk call that weighs more than a whole quota
    is possible, and in the long run nobody gets more than his quota.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"api_user": api_user_id, "quota": quota, "units": units, "window": window})
        if row := cursor.fetchone():
            return Taken(units, *row)
    found = QuotaUse.objects.filter(api_user=api_user_id).first()
    windows_to_pay = found.used // max(quota, found.quota) - max(0, window - found.window_number) if found else 0
    return Taken(0, window + max(1, windows_to_pay), 0)
