import logging
import re

import pytest

from config.request_id import RequestIdFilter, current_request_id, new_request_id


@pytest.mark.parametrize("asked", ["a", "order:7_8.9-A", "x" * 64])
def test_sane_request_id_is_taken_over(client, asked):
    response = client.get("/healthz", HTTP_X_REQUEST_ID=asked)

    assert response["X-Cap-Requestid"] == asked


@pytest.mark.parametrize("asked", ["", "x" * 65, "a b", "a\n", "\u00fc", "<script>"])
def test_other_request_id_is_replaced(client, asked):
    response = client.get("/healthz", HTTP_X_REQUEST_ID=asked)

    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Cap-Requestid"])


@pytest.mark.parametrize("address", ["/", "/v3/nothing", "/nothing", "/v3/schema"])
def test_every_answer_has_a_request_id(client, address):
    response = client.get(address)

    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Cap-Requestid"])


def test_request_ids_grow_with_time_and_are_never_the_same(monkeypatch):
    at = 1_800_000_000_000_000_000
    monkeypatch.setattr("config.request_id.time.time_ns", lambda: at)
    first, same_instant = new_request_id(), new_request_id()
    monkeypatch.setattr("config.request_id.time.time_ns", lambda: at + 1)

    later = new_request_id()

    assert len({first, same_instant, later}) == 3
    assert max(first, same_instant) < later


def test_log_records_have_the_request_id():
    record = logging.makeLogRecord({})
    token = current_request_id.set("call-7")

    is_kept = RequestIdFilter().filter(record)

    current_request_id.reset(token)
    assert (is_kept, record.request_id) == (True, "call-7")
