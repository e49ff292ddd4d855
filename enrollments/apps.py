from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EnrollmentsConfig(AppConfig):
    name = "enrollments"
    verbose_name = "Enrolments and activity"

    def ready(self) -> None:
        """After the last of our apps, as the roles hold permissions of all: nobody has to think of it."""
        from targets.access import keep_roles_in_step

        post_migrate.connect(keep_roles_in_step, sender=self)
