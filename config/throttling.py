"""How often a client may call (api.md 1): a unit for each request; bulk calls pay the rest when they know it."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from targets import quota
from targets.api.requests import caller_of


class ClientQuota(BaseThrottle):
    """Spends one unit of the API user's quota. Comes after authentication and permission; public pages are free."""

    def __init__(self) -> None:
        self.seconds = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is not None:
            self.seconds = quota.leases.spend(caller_of(request), units=1, at=timezone.now())
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds
