"""OAuth clients, to look at. Of the library's own pages none is offered: they show more than anybody needs."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from oauth2_provider import admin as library

from targets.admin.lists import ReadOnlyAdmin
from targets.models import ApiClient, Brand

# Imported above, so that they are registered by now whatever the order of the apps.
for model in (
    library.application_model,
    library.access_token_model,
    library.grant_model,
    library.id_token_model,
    library.refresh_token_model,
):
    admin.site.unregister(model)


@admin.register(ApiClient)
class ApiClientAdmin(ReadOnlyAdmin):
    """Made and revoked by command. Neither the digest of the secret nor any token is shown."""

    brand_path = "user__api_user__brand"
    list_display = ("client_id", "user", "brand", "created")
    list_filter = ("user__api_user__brand",)
    search_fields = ("client_id__exact", "user__username__exact")
    search_help_text = "A client id or a user name, exactly."
    fields = ("client_id", "user", "brand", "created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        clients: QuerySet[ApiClient] = super().get_queryset(request).select_related("user__api_user__brand")
        return clients

    @admin.display(description="brand")
    def brand(self, client: ApiClient) -> Brand:
        brand: Brand = client.user.api_user.brand
        return brand
