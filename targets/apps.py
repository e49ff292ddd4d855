from django.apps import AppConfig


class TargetsConfig(AppConfig):
    name = "targets"
    verbose_name = "Customers and programmes"

    def ready(self) -> None:
        """Changes of who may do what are written down, whoever makes them."""
        from django.contrib.auth.models import Group, User  # models are loaded only now

        from targets.models import ApiClient, ApiUser, Brand, StaffBrand
        from targets.operations.auditing import watch, watch_sign_ins

        watch(User, Group, StaffBrand, ApiUser, ApiClient, Brand)
        watch_sign_ins()
