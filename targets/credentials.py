"""API secrets: generated, shown once, kept as a keyed digest (api.md 2)."""

import hashlib
import hmac
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import BasePasswordHasher

from targets.enums import SecretForm


def generate_secret() -> str:
    """A new API secret of 192 bits, URL-safe."""
    return secrets.token_urlsafe(24)


def password_to_send(secret: str, form: SecretForm) -> str:
    """What a client puts behind the colon of Basic authentication."""
    # MD5 is the wire form of published clients, not how the secret is kept.
    return hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest() if form == SecretForm.MD5_HEX else secret


def digest(password: str) -> str:
    """Keyed digest of the password as it is sent; cheap to check, useless without CREDENTIALS_KEY."""
    return hmac.digest(settings.CREDENTIALS_KEY.encode(), password.encode(), "sha256").hex()


class KeyedDigestHasher(BasePasswordHasher):
    """`digest` in the form in which Django stores passwords, for the secrets of OAuth clients.

    For generated secrets only, never for what a person has made up: it is quick to compute, and has no salt.
    """

    algorithm = "keyed_digest"

    def salt(self) -> str:
        return ""

    def encode(self, password: str, salt: str) -> str:
        return f"{self.algorithm}${digest(password)}"

    def verify(self, password: str, encoded: str) -> bool:
        return hmac.compare_digest(self.encode(password, ""), encoded)

    def safe_summary(self, encoded: str) -> Any:
        return {"algorithm": self.algorithm}

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to even out: it takes as long for every secret."""
