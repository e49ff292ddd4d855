"""API secrets: generated, shown once, kept as a keyed digest (api.md 2)."""

import hashlib
import hmac
import secrets

from django.conf import settings

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
    return hmac.new(settings.CREDENTIALS_KEY.encode(), password.encode(), hashlib.sha256).hexdigest()
