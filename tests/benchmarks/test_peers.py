"""The peers do what Milestreak does: the same answers, the same receipts. Else their times would say nothing."""

import json
import re
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from django.contrib.auth.models import User

from enrollments.integrity import all_violations
from enrollments.models import Participation, Progress, Receipt, Stay
from targets.enums import Allocation
from targets.models import Customer, Target
from tests.benchmarks.contenders import PEERS, Credentials, command_of, has_peers
from tests.benchmarks.crowd import Crowd
from tests.conftest import basic
from tests.factories import BrandFactory, make_programme
from tests.serving import serving

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.django_db(transaction=True),
]

HEADERS = {"Content-Type": "application/json", "X-Forwarded-Proto": "https", "X-Request-ID": "asked-1"}
OURS = re.compile(r"( he left at|[Tt]arget(?: group)?) [^ ,]+")
MADE_ANEW = {
    "id",
    "brand_id",
    "participation_id",
    "stay_id",
    "undoes_id",
    "transaction_id",
    "snapshot",
    "effective_at",
    "recorded_at",
}
UNKNOWN = 10**9


@pytest.fixture(autouse=True)
def peers_installed():
    if not has_peers():
        pytest.skip("what requirements-bench.txt pins is not installed")


@contextmanager
def asked(server, tmp_path, credentials):
    """`call(path, body)` of a served contender: status, body, and the id of the request."""
    command, environment = command_of(server)
    with serving(tmp_path / f"{server}.log", command, environment) as found:
        client = HTTPConnection("127.0.0.1", found.port, timeout=60)

        def call(path, body, authorization=None):
            shown = {"Authorization": authorization or credentials.basic()}
            client.request("POST", path, json.dumps(body), HEADERS | shown)
            response = client.getresponse()
            return response.status, json.loads(response.read()), response.headers["X-Cap-Requestid"]

        try:
            yield call
        finally:
            client.close()


def path_to(target, group_id=None):
    return f"/v3/targetGroups/{group_id or target.target_group_id}/targets/{target.pk}/unEnroll"


class Scene:
    """A programme with customers 1 to 6 in it, in any state in which somebody may leave; and others."""

    def __init__(self):
        self.crowd = Crowd(allocation=Allocation.PERIOD_END)
        self.crowd.enrol(6)
        brand, self.target = self.crowd.brand, self.crowd.target
        self.credentials = Credentials.of(brand)
        self.participations = Participation.objects.filter(target=self.target).order_by("customer__customer_id")
        _, reached, to_come, without_progress, *_ = self.participations
        Progress.objects.filter(participation=reached).update(value=3, adjustment=3, achieved_at=self.crowd.enrolled_at)
        Stay.objects.filter(participation=to_come).update(first_cycle=2)
        Progress.objects.filter(participation=without_progress).delete()
        Customer.objects.create(brand=brand, customer_id=10)
        self.strange = make_programme(brand=BrandFactory())
        self.frozen = make_programme(brand=brand)
        Target.objects.filter(pk=self.frozen.pk).update(is_active=False)

    def calls(self):
        """Path, body, header."""
        path, username = path_to(self.target), self.credentials.username
        return [
            (path, [{"customerId": 1}], None),
            (path, {"customerId": 2, "reason": "asked by phone", "other": 1}, None),
            (path, [{"customerId": 3, "effective": "now"}], None),
            (path, [{"customerId": 4, "reason": None, "effective": None}], None),
            (path, [{"customerId": 5, "effective": "endOfCycle"}], None),
            (path, [{"customerId": 5, "effective": "endOfCycle"}], None),
            (path, [{"customerId": 5}], None),
            (path, [{"customerId": "6"}], None),
            (path, [{"customerId": 6}], None),
            (path, [{"customerId": 10}], None),
            (path, [{"customerId": UNKNOWN}], None),
            (path, [{"customerId": UNKNOWN**3}], None),
            (path_to(self.target, UNKNOWN), [{"customerId": 1}], None),
            (path_to(self.target, UNKNOWN**3), [{"customerId": 1}], None),
            (path_to(self.strange), [{"customerId": 1}], None),
            (path_to(self.strange, self.target.target_group_id), [{"customerId": 1}], None),
            (path_to(self.frozen), [{"customerId": 1}], None),
            (path, [{"customerId": 1}], basic(username, "wrong")),
            (path, [{"customerId": 1}], basic("nobody", "wrong")),
        ]

    def written(self):
        """All that is stored of each enrolment, but keys and instants, which are compared with each other."""
        return [self.written_of(each) for each in self.participations.all()]

    def written_of(self, participation):
        receipts = list(Receipt.objects.filter(participation=participation).order_by("pk"))
        stay = Stay.objects.get(participation=participation)
        last = receipts[-1]
        assert [each.brand_id for each in receipts] == [self.crowd.brand.pk] * len(receipts)
        assert [each.effective_at for each in receipts] == [each.recorded_at for each in receipts]
        assert stay.leave_receipt_id == last.pk
        assert participation.changed_at == last.effective_at
        assert stay.left_at in (None, last.effective_at)
        return (
            [self.told(each) for each in receipts],
            stay.first_cycle,
            stay.end_cycle,
            stay.leaves_after,
            stay.leaves_at,
        )

    def told(self, receipt):
        columns = Receipt.objects.filter(pk=receipt.pk).values().get()
        told = {name: value for name, value in columns.items() if name not in MADE_ANEW}
        for name in ("actor", "credential"):
            told[name] = told[name].replace(self.credentials.username, "he")
        if told["running_achieved_at"] is not None:
            told["running_achieved_at"] -= self.crowd.enrolled_at
        return told


def said(answer):
    """Without what differs each time: the instant at which somebody left, and ids of ours."""
    status, body, request_id = answer
    errors = [(each["code"], OURS.sub(r"\1", each["message"])) for each in body["errors"] or ()]
    return status, body["data"], errors, body["warnings"], request_id


def outcome(server, tmp_path):
    scene = Scene()
    with asked(server, tmp_path, scene.credentials) as call:
        answers = [said(call(*each)) for each in scene.calls()]
    return answers, scene.written()


@pytest.mark.parametrize("peer", PEERS)
def test_answers_and_receipts_are_those_of_milestreak(peer, tmp_path):
    own_answers, own_receipts = outcome("milestreak", tmp_path)
    answers, receipts = outcome(peer, tmp_path)

    assert answers == own_answers
    assert [status for status, *_ in answers] == [200] * 6 + [200, 200, 409, 409] + [404] * 7 + [401] * 2
    assert receipts == own_receipts
    assert [len(of_one) for of_one, *_ in receipts] == [1, 1, 1, 1, 2, 1]
    assert list(all_violations()) == []


@pytest.mark.parametrize("peer", PEERS)
def test_who_may_not_is_refused(peer, tmp_path):
    scene = Scene()
    User.objects.get(username=scene.credentials.username).groups.clear()

    with asked(peer, tmp_path, scene.credentials) as call:
        status, body, _ = call(path_to(scene.target), [{"customerId": 1}])

    assert (status, body["errors"][0]["code"]) == (403, 4000)
    assert not Receipt.objects.exists()
