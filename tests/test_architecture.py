"""The direction of all dependencies: imports, foreign keys and migrations (docs/architecture.md)."""

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from importlinter.cli import EXIT_STATUS_ERROR, EXIT_STATUS_SUCCESS, lint_imports

# Each may depend on those before it, and on Django's own.
APPS = ("targets", "rewards", "enrollments")


def test_imports_go_one_way(capsys):
    status = lint_imports(no_cache=True)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_import_against_the_direction_is_noticed(tmp_path, capsys):
    contract = tmp_path / "contract.toml"
    contract.write_text(
        "[tool.importlinter]\n"
        'root_packages = ["targets", "rewards"]\n'
        "[[tool.importlinter.contracts]]\n"
        'name = "the wrong way round"\n'
        'type = "layers"\n'
        'layers = ["targets", "rewards"]\n'
    )

    status = lint_imports(config_filename=str(contract), no_cache=True)

    assert status == EXIT_STATUS_ERROR
    assert "rewards.models -> targets.models" in capsys.readouterr().out


def apps_above(label):
    return APPS[APPS.index(label) + 1 :]


@pytest.mark.parametrize("label", APPS)
def test_foreign_keys_go_one_way(label):
    aims = {
        f"{model.__name__}.{field.name}": field.related_model._meta.app_label
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created
    }

    assert aims
    assert {name: aim for name, aim in aims.items() if aim in apps_above(label)} == {}


@pytest.mark.parametrize("label", APPS)
def test_migrations_depend_one_way(label):
    migrations = {key: each for key, each in MigrationLoader(None).disk_migrations.items() if key[0] == label}
    aims = [aim for each in migrations.values() for aim, _ in [*each.dependencies, *each.run_before]]

    assert migrations
    assert [aim for aim in aims if aim in apps_above(label)] == []
