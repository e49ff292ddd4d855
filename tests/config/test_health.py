import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError


def test_healthz_answers_without_the_database(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_with_database_and_migrations_is_ready(client):
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_with_a_migration_missing_is_not_ready(client):
    MigrationRecorder(connection).record_unapplied("targets", "0001_initial")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "migrations"}


def test_readyz_without_the_database_is_not_ready_and_tells_no_detail(client, monkeypatch):
    def fail(recorder: MigrationRecorder) -> None:
        raise OperationalError("password authentication failed for user secret")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "database"}


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_probe_by_another_method_is_refused(client, address):
    response = client.post(address)

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_probe_by_address_needs_no_allowed_host_and_no_tls(client, settings):
    settings.ALLOWED_HOSTS = ["example.org"]
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/healthz", HTTP_HOST="10.0.0.7:8000")

    assert response.status_code == 200
