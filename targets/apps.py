from django.apps import AppConfig


class TargetsConfig(AppConfig):
    name = "targets"
    verbose_name = "Customers and programmes"

    def ready(self) -> None:
        """Changes of who may do what are written down, whoever makes them; who signs in is asked for his code."""
        from django.contrib.auth.models import Group, User  # models are loaded only now
        from django.contrib.auth.signals import user_logged_in
        from django_otp.plugins.otp_static.models import StaticDevice
        from django_otp.plugins.otp_totp.models import TOTPDevice

        from targets.models import ApiClient, ApiUser, Brand, StaffBrand
        from targets.operations.auditing import watch, watch_sign_ins
        from targets.second_factor import flag_session

        watch(User, Group, ApiUser, ApiClient, Brand, StaffBrand, TOTPDevice, StaticDevice)
        watch_sign_ins()
        user_logged_in.connect(flag_session, dispatch_uid="second factor")
