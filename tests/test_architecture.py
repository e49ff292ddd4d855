"""The direction of all dependencies: imports, foreign keys and migrations (docs/architecture.md)."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

# Each may depend on those before it, and on Django's own.
APPS = ("targets", "rewards", "enrollments")


def lint_imports(*arguments):
    """In a process of its own: import-linter sets up logging its own way."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *arguments]
    return subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)


def test_imports_go_one_way():
    done = lint_imports()

    assert done.returncode == 0, done.stdout


def test_import_against_the_direction_is_noticed(tmp_path):
    contract = tmp_path / "contract.toml"
    contract.write_text(
        "[tool.importlinter]\n"
        'root_packages = ["targets", "rewards"]\n'
        "[[tool.importlinter.contracts]]\n"
        'name = "the wrong way round"\n'
        'type = "layers"\n'
        'layers = ["targets", "rewards"]\n'
    )

    done = lint_imports(str(contract))

    assert done.returncode == 1
    assert "rewards.models -> targets.models" in done.stdout


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
