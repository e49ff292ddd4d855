"""What remains of an erased customer's number: enough to know it again when somebody sends it, and nothing else."""

import hashlib
import hmac

from django.conf import settings


def erased_digest(brand_id: int, customer_id: int) -> str:
    """Keyed digest of the number in its brand. Numbers are easily guessed: without CREDENTIALS_KEY it tells nothing."""
    known_as = f"erased customer {brand_id}:{customer_id}"
    return hmac.new(settings.CREDENTIALS_KEY.encode(), known_as.encode(), hashlib.sha256).hexdigest()
