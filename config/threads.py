"""Django for a process whose threads answer calls: what it does for event loops and settings that change is left out.

Wherever a thread keeps something of its own - connections, the prefix of paths - Django looks for an event loop first,
and it goes through a proxy for each setting that it reads. A small call does so dozens of times: a fourteenth of the
processor time that it costs.
"""

import threading

from django.conf import LazySettings
from django.db import connections
from django.urls import base as urls


def keep_by_thread() -> None:
    """To be called once, by a process that will never run an event loop, and before it has any connection."""
    # The stubs know none of these; a version of Django without them is noticed by the tests of the web server.
    connections._connections = threading.local()  # type: ignore[attr-defined]  # see above
    urls._prefixes = threading.local()  # type: ignore[attr-defined]  # see above
    urls._urlconfs = threading.local()  # type: ignore[attr-defined]  # see above
    # Settings have no methods to be hidden from who asks for them, as other lazy objects have.
    LazySettings.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]  # see above
