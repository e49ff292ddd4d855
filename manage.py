#!/usr/bin/env python
"""Django's command line, for operators: `manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:  # where nobody went on without it: the database is away
        print(f"The database cannot serve: {error}".rstrip(), file=sys.stderr)
        sys.exit(2)
