"""`manage.py purge_idempotency_keys`: what a repeat is no longer promised to know is removed."""

from datetime import timedelta
from io import StringIO
from itertools import islice

from django.core.management import call_command
from django.utils import timezone

from targets.models import Customer, StoredAnswer
from targets.operations import purge_answers
from tests.idempotency import tell

HOUR = timedelta(hours=1)


def answered(site, ages):
    """One stored answer of each age in hours."""
    for age in ages:
        tell(site.client, "PUT", "/v3/customers/1", {}, key=f"{age}")
        StoredAnswer.objects.filter(pk=StoredAnswer.objects.latest("pk").pk).update(
            recorded_at=timezone.now() - age * HOUR
        )


def ages():
    now = timezone.now()
    return [
        round((now - at) / HOUR) for at in StoredAnswer.objects.order_by("pk").values_list("recorded_at", flat=True)
    ]


def purged():
    out = StringIO()
    call_command("purge_idempotency_keys", stdout=out)
    return out.getvalue()


def test_only_what_is_older_than_a_day_is_removed(site):
    answered(site, [25, 1, 23, 48])

    assert purged() == "Answers removed: 2.\n"
    assert ages() == [1, 23]
    assert purged() == "Answers removed: 0.\n"


def test_setting_keeps_them_longer(site, settings):
    settings.IDEMPOTENCY_HOURS = 48
    answered(site, [25, 49])

    purged()

    assert ages() == [25]


def test_key_is_new_once_its_answer_was_purged(site):
    answered(site, [25])
    purged()
    Customer.objects.all().delete()

    again = tell(site.client, "PUT", "/v3/customers/1", {}, key="25")

    assert (again.status, again.is_repeated) == (201, False)


def test_purging_stopped_half_way_has_removed_the_oldest_and_is_gone_on_with(site):
    answered(site, [25, 28, 26, 27, 1])
    purging = purge_answers(before=timezone.now() - 24 * HOUR, at_once=2)

    removed = list(islice(purging, 1))
    purging.close()

    assert (removed, ages()) == ([2], [25, 26, 1])
    assert list(purge_answers(before=timezone.now() - 24 * HOUR, at_once=2)) == [2]
    assert ages() == [1]
