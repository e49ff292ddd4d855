"""Users, groups and brands of staff: for superusers only, as whoever touches them could give himself everything."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from targets.access import Role
from targets.admin.lists import CarefulAdmin
from targets.models import StaffBrand

admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister([TOTPDevice, StaticDevice])  # their pages show keys and codes, of others too


class SuperusersOnly(CarefulAdmin):
    """No permission opens this."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser


class StaffBrandInline(admin.TabularInline):
    model = StaffBrand
    extra = 1
    verbose_name = "brand of the admin"
    verbose_name_plural = "Brands that he sees and touches in the admin (superusers: all)"


@admin.register(User)
class PersonAdmin(SuperusersOnly, UserAdmin):
    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [] if obj is None else [StaffBrandInline]


@admin.register(Group)
class AccessGroupAdmin(SuperusersOnly, GroupAdmin):
    """The groups of the roles are as the code says, so they can only be looked at."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not is_role(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not is_role(obj)


def is_role(group: Group | None) -> bool:
    return group is not None and group.name in set(Role)
