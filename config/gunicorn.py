"""Settings of gunicorn: `gunicorn --config config/gunicorn.py config.wsgi`."""

import gc
import os
import signal
from multiprocessing.sharedctypes import RawArray
from typing import Any

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "config.web_worker.EnvelopeWorker"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))

# Not preloaded: the embedded database serves as long as processes use it, and those shall be the workers.
preload_app = False

timeout = 60  # seconds without a sign of life of a worker; the database gives up after 20 (STATEMENT_TIMEOUT)
graceful_timeout = 30  # for requests under way when the service is told to stop
keepalive = 75  # longer than a proxy in front keeps an idle connection

# What a request may be before any view: longer ones are refused by the worker, in the envelope.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # whether a proxy ended TLS is the business of TLS_PROXY alone

control_socket_disable = True  # it would lie in the home directory, shared by every instance of the user

accesslog = "-" if os.environ.get("ACCESS_LOG") else None
errorlog = "-"


YOUNG_OBJECTS = 10_000  # that may be kept before Python looks which of them are of no use any more
LONGEST_DRAINED = 64 * 1024  # bytes; a body beyond that which nobody read ends the connection


NO_PROCESS = -1
MOST_PROCESSES = 256
connections = RawArray("i", [NO_PROCESS] * MOST_PROCESSES)  # of each process, by its place


def pre_fork(server: Any, worker: Any) -> None:
    worker.connections, worker.place = connections, list(connections).index(NO_PROCESS)
    connections[worker.place] = 0


def child_exit(server: Any, worker: Any) -> None:
    connections[worker.place] = NO_PROCESS


def pre_request(worker: Any, request: Any) -> None:
    """Say so in the answer where the connection may end with it: else the client's next call would go unanswered."""
    announced = dict(request.headers).get("CONTENT-LENGTH", "0")
    if int(announced) > LONGEST_DRAINED:
        request.force_close()


def post_worker_init(worker: Any) -> None:
    from config.threads import keep_by_thread  # Django is set up only in the worker

    keep_by_thread()
    # A terminal's Ctrl-C reaches the workers too: told twice to quit, by it and by the master, they would hang.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python looks for cycles nobody uses with every other call, and now and then in all that is loaded: seldomer.
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
