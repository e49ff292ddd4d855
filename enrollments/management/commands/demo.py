"""`manage.py demo`: a sample brand, the published cases over the real HTTP API, and the site to look around."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils import timezone
from rich.console import Console
from rich.progress import track

from enrollments.demo.cases import TIME_ZONE, XYZ
from enrollments.demo.playing import CallFailed, Player
from enrollments.demo.report import print_story
from targets.credentials import generate_secret
from targets.enums import SecretForm
from targets.models import Brand
from targets.operations import BrandMade, create_brand

STAFF = "demo"
PATIENCE = 60.0  # seconds for the server to be ready
UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Make a sample brand, play the published cases through the HTTP API, print what was kept, left and "
        "forfeited, and keep the site running. Exit code 1 if an outcome was not the right one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="end after the story")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo makes a superuser: it is for DEBUG=true only.", returncode=UNUSABLE)
        console = Console(file=cast("Any", self.stdout))
        port = os.environ.get("PORT", "8000")
        if not port.isdigit():
            raise CommandError(f"PORT={port} is no port number.", returncode=UNUSABLE)
        address = f"http://127.0.0.1:{port}"
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with served(address, port) as server:
            made = sample_brand()
            player = Player(address, made.api_user.user.get_username(), made.secret)
            total = len(player.steps())
            try:
                for _ in track(player.play(), "Playing", total=total, console=Console(stderr=True), transient=True):
                    pass
            except CallFailed as failure:
                raise CommandError(str(failure)) from None
            print_story(console, player.outcomes)
            if not options["no_serve"]:
                invite(console, address, made, player)
                wait(server)
        if any(outcome.differences() for outcome in player.outcomes):
            sys.exit(1)


@contextmanager
def served(address: str, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """The site on its port, until the block ends. Raises `CommandError` if it does not come up."""
    if not is_free(int(port)):
        raise CommandError(f"Port {port} is in use. Try: make demo PORT={int(port) + 1}", returncode=UNUSABLE)
    arguments = ["-m", "gunicorn", "--config", "config/gunicorn.py", "--log-level", "warning", "config.wsgi"]
    server = subprocess.Popen([sys.executable, *arguments], cwd=settings.BASE_DIR)  # noqa: S603 - our own site
    try:
        until = time.monotonic() + PATIENCE
        while not is_ready(address):
            if server.poll() is not None:
                raise CommandError("The site does not start: see above.")
            if time.monotonic() > until:
                raise CommandError(f"The site is not ready at {address}/readyz.")
            time.sleep(0.1)
        yield server
    finally:
        server.terminate()
        server.wait()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - asks for what gunicorn will ask for
        except OSError:
            return False
    return True


def is_ready(address: str) -> bool:
    session = requests.Session()
    session.trust_env = False  # no proxy between us and our own site
    try:
        return session.get(f"{address}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def sample_brand() -> BrandMade:
    """A new sandbox brand each time: a finished story cannot be played again."""
    number = 1 + Brand.objects.filter(name__startswith="Demo").count()
    while Brand.objects.filter(name=f"Demo {number}").exists():
        number += 1
    return create_brand(
        name=f"Demo {number}",
        time_zone=TIME_ZONE,
        sandbox=True,
        username=f"demo-{number}-api",
        secret_form=SecretForm.PLAIN,
        at=timezone.now(),
    )


def staff_password() -> str:
    """A new password of the superuser of the demo, who is made where he is missing."""
    password = generate_secret()
    user, _ = get_user_model().objects.get_or_create(username=STAFF, defaults={"is_staff": True, "is_superuser": True})
    user.set_password(password)
    user.save()
    return password


def invite(console: Console, address: str, made: BrandMade, player: Player) -> None:
    enrolled = player.outcomes[-1].customer_id
    username = made.api_user.user.get_username()
    lines = [
        "",
        f"API       {address}/v3    user {username}    password {made.secret}",
        f"Docs      {address}/docs",
        f"Admin     {address}{reverse('admin:index')}    user {STAFF}    password {staff_password()}",
        "",
        f"Customer {enrolled} is still in {XYZ}. What would leaving mean for him?",
        "",
        f"  curl -u {username}:{made.secret} -H 'Content-Type: application/json' \\",
        f"    -d '[{{\"customerId\": {enrolled}}}]' {address}{player.paths[XYZ]}/unEnroll/preview",
        "",
        "Ctrl-C stops the site.",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def wait(server: subprocess.Popen[bytes]) -> None:
    try:
        server.wait()
    except KeyboardInterrupt:
        return
    raise CommandError("The site has stopped.")
