"""A worker whose threads stay with their clients for as long as they may."""

from config.web_worker import EnvelopeWorker


class PatientWorker(EnvelopeWorker):
    PATIENCE = 600_000
