"""Who has changed something lately is not answered from a replica, whichever process he asks (docs/scaling.md).

It is noted with the API user, whose row is read with every call anyway. Noting it with every change would have all
changes of a client wait for one another, so it is noted for longer than needed, and a process notes it anew only when
too little is left.
"""

from datetime import datetime, timedelta

from django.conf import settings

from targets.models import ApiUser
from targets.operations import keep_on_primary


class RecentWrites:
    """What one process has noted, at most once for each API user there is. Used by many threads."""

    def __init__(self) -> None:
        self._until: dict[int, datetime] = {}

    def note(self, api_user: ApiUser, *, at: datetime) -> None:
        """Answer him from the primary for twice the lag that a replica may have, at least.

        Once the lag is enough; twice leaves clocks of web machines room to differ. To be called when the change is
        committed and before it is answered. Raises what the database raises.
        """
        lag = timedelta(seconds=settings.REPLICA_LAG_SECONDS)
        noted = self._until.get(api_user.pk)
        if noted is None or noted - at < 2 * lag:
            until = at + 3 * lag
            keep_on_primary(api_user_id=api_user.pk, until=until)
            self._until[api_user.pk] = until


recent_writes = RecentWrites()
