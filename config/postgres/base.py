"""The Django backend for a server of your own: Django's for PostgreSQL, without a query before each request."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the kept connection still serves; asked at the first query of each request.

        A server that has ended it has said so, and then there is something to read. Where there is nothing, nobody
        needs to be asked: that would be a round trip more for each request.
        """
        if self.connection is None or self.connection.closed:
            return False
        return not (self.errors_occurred or self._has_something_to_read()) or super().is_usable()

    def _has_something_to_read(self) -> bool:
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return bool(waiting.poll(0))
