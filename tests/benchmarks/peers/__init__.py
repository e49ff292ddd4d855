"""The same `unEnroll` as people write it by hand with other means, on the same tables, to measure Milestreak against.

Each does what Milestreak does for a milestone with one calendar for all: HTTP Basic with the keyed digest and the
permission, both remembered for a few seconds, brand, locks, load, `decide_leave`, and receipt, stay and participation
in one transaction, in the same envelope.
Neither has what Milestreak has besides: tokens, quotas, people's passwords, idempotency keys, streaks, own calendars.
"""
