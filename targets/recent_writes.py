"""Who has changed something lately is not answered from a replica, whichever process he asks (docs/scaling.md).

It is noted with the API user, whose row is read with every call anyway; of staff, in their session. Noting it with
every change would have all changes of a client wait for one another, so it is noted for longer than needed, and a
process notes it anew only when too little is left.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from targets.models import ApiUser
from targets.operations import keep_on_primary

IN_SESSION = "reads_primary_until"


class RecentWrites:
    """What one process has noted, at most once for each API user there is. Used by many threads."""

    def __init__(self) -> None:
        self._until: dict[int, datetime] = {}

    def note(self, api_user: ApiUser, *, at: datetime) -> None:
        """Answer him from the primary for twice the lag that a replica may have, at least.

        Once the lag is enough; twice leaves clocks of web machines room to differ. To be called when the change is
        committed and before it is answered. Raises what the database raises.
        """
        if (until := longer(self._until.get(api_user.pk), at)) is not None:
            keep_on_primary(api_user_id=api_user.pk, until=until)
            self._until[api_user.pk] = until


recent_writes = RecentWrites()


def longer(noted: datetime | None, at: datetime) -> datetime | None:
    """Until when to note it now; None where what is noted is long enough."""
    lag = timedelta(seconds=settings.REPLICA_LAG_SECONDS)
    return at + 3 * lag if noted is None or noted - at < 2 * lag else None


def note_in_session(session: SessionBase, *, at: datetime) -> None:
    if (until := longer(noted_in(session), at)) is not None:
        session[IN_SESSION] = until.isoformat()


def noted_in(session: SessionBase) -> datetime | None:
    noted = session.get(IN_SESSION)
    return None if noted is None else datetime.fromisoformat(noted)
