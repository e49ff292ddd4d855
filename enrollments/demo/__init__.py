"""The published cases, played over HTTP: `manage.py demo`."""
