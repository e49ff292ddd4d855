"""A new brand speaks with the server: what makes sense, what the document allows, what it forbids, and worse.

All is drawn by Hypothesis. What to draw never depends on an answer, so that a seed says the same again; only ids do.
"""

from collections.abc import Callable
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from targets.operations import create_api_client
from tests.conftest import basic
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory
from tests.fuzzing.caller import BEFORE_ANY_VIEW, OPERATIONS, TOKEN, Caller
from tests.fuzzing.malformed import AT_THE_PORT, FORM, SPOILS

STEPS = 30
CONVERSATIONS_OF_A_SEED = 5
SPOILED_OF_A_CASE = 4  # a case costs more to make than to send
CUSTOMERS = (423789336, 1, 2, 9007199254740993, 10**17)
UNKNOWN = 999999999
UNKNOWN_BATCH = "7f1c2a4e-9d1b-4c1a-8f0e-2b7d6c5a4f3e"
INDEX = st.integers(0, 2**16)

READINGS = (
    "readEnrollment", "listReceipts", "listRewardGrants", "readReceipt", "readUserTargetGroups", "readCustomer",
    "readTrackedTargetEvents", "readTargetGroup", "listTargetGroups", "listTargetPeriods", "listTargets", "readClock",
)  # fmt: skip
BAD_FORMS = (
    "", "grant_type=password", "grant_type=client_credentials&scope=x", "=&&", "a=%ff", "{}", "a" * 20_000,
    "grant_type=client_credentials&grant_type=client_credentials", "grant_type=%00&client_id=%00&client_secret=%00",
)  # fmt: skip
POSITIVE = {name: each.as_strategy(generation_mode=GenerationMode.POSITIVE) for name, each in OPERATIONS.items()}
NEGATIVE = {name: each.as_strategy(generation_mode=GenerationMode.NEGATIVE) for name, each in OPERATIONS.items()}
NAMES = st.sampled_from(sorted(OPERATIONS))
WINDOWS = ("FIXED_CALENDAR_WINDOW", "FIXED_CALENDAR_WINDOW", "CYCLIC_WINDOW", "PERIOD_AGNOSTIC_WINDOW")
CLOCK = "2026-{month:02}-{day:02}T12:00:00{zone}"


class Conversation:
    """Of one brand. It knows the ids of what it was told, and mostly speaks of them."""

    def __init__(self, caller: Caller, draw: Callable[[Any], Any]) -> None:
        self.caller = caller
        self.draw = draw
        api_user = ApiUserFactory(brand=BrandFactory(sandbox=True, clock_at=START))
        self.client = create_api_client(username=api_user.user.username, brand_name=None, group_name=None)
        self.basic = {"Authorization": basic(api_user.user.username, SECRET)}
        self.shown = self.basic
        self.groups: list[dict[str, Any]] = []
        self.receipts: list[int] = []
        self.month = 1
        self.spoils: Callable[[requests.Request], None] | None = None

    def go_on(self) -> None:
        self.ask_for_a_token()
        self.register()
        self.found_a_programme()
        for _ in range(STEPS):
            self.draw_one(STEPS_TAKEN)(self)

    # What makes sense

    def ask_for_a_token(self) -> None:
        """In one way or the other; from here on it is shown, or the password again."""
        form = self.draw_one(("grant_type=client_credentials", "grant_type=client_credentials&scope=read+write"))
        if self.draw(st.booleans()):
            response = self.call("generateToken", body={"key": self.client.client_id, "secret": self.client.secret})
            token = response.json()["data"]["accessToken"] if response is not None and response.ok else ""
        else:
            response = self.caller.send(self.token_request(form))
            token = response.json()["access_token"] if response is not None and response.ok else ""
        self.shown = self.draw_one(({"Authorization": f"Bearer {token}"}, {"X-CAP-API-OAUTH-TOKEN": token}, self.basic))

    def token_request(self, form: str) -> requests.Request:
        shown = {"Authorization": basic(self.client.client_id, self.client.secret)}
        return requests.Request("POST", self.caller.base_url + TOKEN, {"Content-Type": FORM} | shown, data=form)

    def register(self) -> None:
        customers = [{"customerId": each, "lastName": "Noor"} for each in CUSTOMERS[:-1]]
        self.call("putCustomers", body={"customers": customers})

    def found_a_programme(self) -> None:
        name = f"Programme {len(self.groups)}"
        kpi = self.draw_one(("COUNT", "SALES", "QUANTITY", "VISIT"))
        is_streak = self.draw(st.booleans())
        target = {
            "name": name,
            "targetEntity": "TRANSACTION",
            "targetType": kpi,
            "defaultValues": [{"defaultValue": self.draw_one((1, 2, "0.5"))}],
            "rewardAllocationType": "IMMEDIATE" if is_streak else self.draw_one(("IMMEDIATE", "PERIOD_END")),
            "reward": None if is_streak else {"name": "100 points", "kind": "POINTS", "value": 100},
        }
        body = {
            "name": name,
            "trackingType": self.draw_one(("STREAKS", "NON_CONTINUOUS_STREAKS")) if is_streak else "DEFAULT",
            "targetEvaluationType": self.draw_one(WINDOWS),
            "frequencyType": "MONTHLY",
            "frequency": 1,
            "totalPeriods": self.draw_one((2, 5, 12)),
            "targets": [target],
            "lateDays": self.draw_one((0, 3)),
        }
        if body["targetEvaluationType"] == "FIXED_CALENDAR_WINDOW":
            body["targetCycleStartDate"] = "2026-01-01T00:00:00"
        if is_streak:
            body["streaks"] = [
                {"name": f"{name}, level", "targetCountOfSequence": 2, "reward": {"name": "B", "kind": "BADGE"}}
            ]
        response = self.call("createTargetGroup", body=body)
        if response is not None and response.status_code == 201:
            self.groups.append(response.json()["data"])

    def enroll(self) -> None:
        record: dict[str, Any] = {"customerId": self.customer()}
        if self.draw(st.booleans()):
            record["initialBalance"] = self.draw_one((0, 1, "1.5"))
        self.call("enroll", body=[record])

    def enroll_many(self) -> None:
        self.call("enrollBulk", body={"records": [{"customerId": self.customer()} for _ in range(3)]})

    def leave_many(self) -> None:
        self.call("unEnrollBulk", body={"customerIds": [self.customer() for _ in range(3)]})

    def act(self) -> None:
        """Once, or the same twice in one request."""
        activity = {
            "eventId": f"e{self.draw(INDEX) % 500}",
            "eventName": "purchase",
            "customerId": self.customer(),
            "occurredAt": self.instant(),
            "amount": self.draw_one((1, -1, "3.563", 100)),
            "quantity": self.draw_one((None, 2)),
        }
        self.call("recordActivities", body=self.draw_one((activity, [activity], [activity, activity])))

    def leave(self) -> None:
        record = {"customerId": self.customer(), "effective": self.draw_one(("now", "endOfCycle")), "reason": "moved"}
        self.call(self.draw_one(("unEnroll", "unEnroll", "unEnrollPreview")), body=[record])

    def cancel_leave(self) -> None:
        """Of one who has said that he will, if he is in at all."""
        customer, ids = self.customer(), self.ids()
        self.call("unEnroll", body=[{"customerId": customer, "effective": "endOfCycle"}], ids=ids)
        self.call("unEnrollCancel", body=[{"customerId": customer}], ids=ids)

    def undo(self) -> None:
        """Of one who has just left by mistake, or who was not in; as one leave, or as a batch."""
        customer, ids = self.customer(), self.ids()
        left = self.call("unEnrollBulk", body={"customerIds": [customer]}, ids=ids)
        if left is not None and left.ok:
            told = left.json()["data"]
            ids |= {"batchId": told["batchId"], "receiptId": told["results"][0]["receiptId"] or UNKNOWN}
        self.call(self.draw_one(("undoUnEnroll", "undoBatch")), body={"reason": "by mistake"}, ids=ids)

    def let_time_pass(self) -> None:
        self.month = min(self.month + self.draw_one((0, 0, 1)), 12)
        self.call("setClock", body={"now": self.instant()})

    def read(self) -> None:
        """Where a customer stands, and the feeds; the receipts that they name are asked for later."""
        name = self.draw_one(READINGS)
        response = self.call(name)
        if name == "listReceipts" and response is not None and response.ok:
            self.receipts = [each["receiptId"] for each in response.json()["data"]]

    def say_it_again(self) -> None:
        """The same twice under a key, and something else under the same key."""
        key, ids = {"Idempotency-Key": f"k{self.draw(INDEX)}"}, self.ids()
        customers = self.customer(), self.customer()
        for each in (customers[0], *customers):
            self.call("enroll", body=[{"customerId": each}], headers=key, ids=ids)

    # What the document says, what it does not, and what no document speaks of

    def speak_by_the_document(self) -> None:
        """Once as it is, then with something wrong with it."""
        case = self.about_what_is_known(self.draw(POSITIVE[self.draw(NAMES)]))
        self.caller.call(case, self.shown)
        for _ in range(SPOILED_OF_A_CASE):
            self.caller.call(case, self.shown, self.spoil())

    def speak_against_the_document(self) -> None:
        case = self.draw(NEGATIVE[self.draw(NAMES)])
        self.caller.call(case, self.shown)
        case.path_parameters = case.path_parameters | self.ids_in(case)
        self.caller.call(case, self.shown)

    def make_no_sense_any_more(self) -> None:
        """What would make sense, with something wrong with it."""
        self.spoils = self.spoil()
        self.draw_one((Conversation.enroll, Conversation.act, Conversation.leave, Conversation.found_a_programme))(self)
        self.spoils = None

    def come_without_credentials(self) -> None:
        """Who asks for a token shows others, and wrong ones at that."""
        name = self.draw(NAMES)
        response = self.caller.call(self.about_what_is_known(self.draw(POSITIVE[name])), {})
        refusals = (400, 401) if name == "generateToken" else (401,)
        if response is not None and response.status_code not in (*refusals, *BEFORE_ANY_VIEW):
            self.caller.find(f"Without credentials: {response.status_code}", response)

    def ask_for_a_token_badly(self) -> None:
        request = self.token_request(self.draw_one(BAD_FORMS))
        self.draw_one(SPOILS)(request, self.draw)
        self.caller.send(request)

    def come_by_no_http(self) -> None:
        self.caller.send_bytes(self.draw_one(AT_THE_PORT))

    # How

    def call(self, name: str, *, body: Any = None, headers: Any = None, ids: Any = None) -> requests.Response | None:
        arguments = {} if body is None else {"body": body, "media_type": "application/json"}
        case = OPERATIONS[name].Case(headers=headers, **arguments)
        case.path_parameters = self.ids_in(case, ids)
        return self.caller.call(case, self.shown, self.spoils)

    def spoil(self) -> Callable[[requests.Request], None]:
        chosen = self.draw_one(SPOILS)
        return lambda request: chosen(request, self.draw)

    def about_what_is_known(self, case: Any) -> Any:
        """Mostly customers and a programme that there are, at a time that has come."""
        if self.draw_one((True, True, True, False)):
            case.path_parameters = case.path_parameters | self.ids_in(case)
            case.body = self.known(case.body)
        return case

    def known(self, value: Any) -> Any:
        """The same with the brand's own ids in it."""
        if isinstance(value, list):
            return [self.known(each) for each in value]
        if not isinstance(value, dict):
            return value
        own = {"customerId": self.customer, "occurredAt": self.instant, "now": self.instant, "periodName": lambda: None}
        return {name: own[name]() if name in own else self.known(each) for name, each in value.items()}

    def ids(self) -> dict[str, Any]:
        number, receipt = self.draw(INDEX), self.draw(INDEX)
        group = self.groups[number % len(self.groups)] if self.groups else {"id": UNKNOWN, "targets": [{"id": UNKNOWN}]}
        return {
            "customerId": self.customer(),
            "targetGroupId": group["id"],
            "targetId": group["targets"][0]["id"],
            "batchId": UNKNOWN_BATCH,
            "receiptId": self.receipts[receipt % len(self.receipts)] if self.receipts else UNKNOWN,
        }

    def ids_in(self, case: Any, ids: dict[str, Any] | None = None) -> dict[str, Any]:
        return {name: each for name, each in (ids or self.ids()).items() if f"{{{name}}}" in case.path}

    def customer(self) -> int:
        return self.draw_one((*CUSTOMERS[:2] * 2, *CUSTOMERS))

    def instant(self) -> str:
        """In the month of the clock, in one of three zones."""
        return CLOCK.format(
            month=self.month, day=self.draw(st.integers(1, 28)), zone=self.draw_one(("Z", "+05:30", "-11:00"))
        )

    def draw_one(self, choice: tuple[Any, ...]) -> Any:
        """Not by the values: they may be ids, which differ from run to run."""
        return choice[self.draw(st.integers(0, len(choice) - 1))]


STEPS_TAKEN = (
    *[Conversation.enroll, Conversation.act, Conversation.leave, Conversation.read] * 4,
    *[
        Conversation.cancel_leave,
        Conversation.undo,
        Conversation.say_it_again,
        Conversation.enroll_many,
        Conversation.leave_many,
        Conversation.register,
    ],
    *[Conversation.let_time_pass, Conversation.found_a_programme],
    *[Conversation.speak_by_the_document, Conversation.speak_against_the_document] * 3,
    *[Conversation.make_no_sense_any_more] * 4,
    *[Conversation.come_without_credentials, Conversation.come_by_no_http],
    *[Conversation.ask_for_a_token, Conversation.ask_for_a_token_badly],
)


def converse(caller: Caller, seed_number: int) -> None:
    """Five conversations; the same number has the same ones.

    What was found stands in `caller`. Hypothesis does not make it smaller: the server remembers what it was told.
    """
    caller.seed = seed_number

    @seed(seed_number)
    @settings(
        max_examples=CONVERSATIONS_OF_A_SEED,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def conversations(data: st.DataObject) -> None:
        Conversation(caller, data.draw).go_on()

    conversations()
