"""The walk of docs/integrating.md, request by request as it stands there, so that it cannot rot."""

import json
import re
from io import StringIO
from pathlib import Path

import simplejson
from django.core.management import call_command

PAGE = Path(__file__).parents[2] / "docs" / "integrating.md"
CALL = re.compile(r"^ +call (?:-X (?P<method>\w+) )?(?P<path>\S+)(?: -d '(?P<body>[^']*)')?", re.MULTILINE)


def the_walk():
    """(method, path, body) of each request up to the end of the block."""
    block = PAGE.read_text().split("**From nothing to a first un-enrolment**")[1].split("**If you already")[0]
    for found in CALL.finditer(block):
        method = found["method"] or ("POST" if found["body"] else "GET")
        yield method, found["path"].replace("localhost:8000", ""), json.loads(found["body"]) if found["body"] else None


def test_every_request_of_the_walk_is_answered_as_the_page_says(transactional_db, client_of):
    out = StringIO()
    call_command("create_brand", "Try", "--sandbox", "--api-user", "try", "--format", "json", stdout=out)
    client = client_of("try", json.loads(out.getvalue())["password"])
    answers, target = [], ""

    for method, path, body in the_walk():
        path = path.replace("$T", target)
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = client.generic(method, path, **sent)
        answer = simplejson.loads(response.content)
        answers.append((path.rsplit("/", 1)[-1], response.status_code, answer))
        if path == "/v3/targetGroups" and method == "POST":
            group = answer["data"]
            target = f"/v3/targetGroups/{group['id']}/targets/{group['targets'][0]['id']}"

    assert [(name, status) for name, status, _ in answers] == [
        ("clock", 200),
        ("423789336", 201),
        ("targetGroups", 201),
        ("enroll", 200),
        ("activities", 200),
        ("targetGroups", 200),
        ("preview", 200),
        ("unEnroll", 200),
        ("receipts", 200),
        ("enroll", 200),
        ("423789336", 200),
    ]
    told = [answer for *_, answer in answers]
    assert told[5]["data"]["targetGroups"][0]["targets"][0]["targetAchievedValue"] == 1
    assert told[7]["warnings"][0]["code"] == 310201
    assert "Cycle_1" in told[7]["warnings"][0]["message"]
    # Not from the feed, which waits for transactions that other tests have open.
    assert [each["kind"] for each in told[10]["data"]["receipts"]] == ["ENROLLED", "UNENROLLED", "REENROLLED"]
    assert (told[10]["data"]["enrolled"], told[10]["data"]["cycles"][0]["value"]) == (True, 1)
