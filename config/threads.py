"""Django for a process whose threads answer calls: what it does for event loops and settings that change is left out.

Wherever a thread keeps something of its own - connections, the prefix of paths - and before it uses a connection,
Django looks for an event loop, and it goes through a proxy for each setting that it reads. A small call does so dozens
of times: a tenth of the processor time that it costs.
"""

import threading
from inspect import unwrap

from django.conf import LazySettings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper
from django.urls import base as urls

LOOKING = ((BaseDatabaseWrapper, ("cursor", "commit", "ensure_connection")), (DatabaseWrapper, ("create_cursor",)))


def keep_by_thread() -> None:
    """To be called once, by a process that will never run an event loop. Connections that it has are closed."""
    connections.close_all()
    for wrapper, methods in LOOKING:
        for name in methods:
            setattr(wrapper, name, unwrap(getattr(wrapper, name)))
    # The stubs know none of these; a version of Django without them is noticed by the tests of the web server.
    connections._connections = threading.local()  # type: ignore[attr-defined]  # see above
    urls._prefixes = threading.local()  # type: ignore[attr-defined]  # see above
    urls._urlconfs = threading.local()  # type: ignore[attr-defined]  # see above
    # Settings have no methods to be hidden from who asks for them, as other lazy objects have.
    LazySettings.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]  # see above
