from oauth2_provider.models import Application


class ApiClient(Application):
    """An OAuth client: another way in for an API user, by tokens. The user's brand and groups are the client's.

    A user may have several, so that a secret is replaced without downtime. Secret and tokens are stored as digests;
    deleting the row makes both useless at once.
    """

    class Meta:
        proxy = True
        verbose_name = "API client"

    def __str__(self) -> str:
        return f"{self.client_id} ({self.user})"
