"""The customer registry over HTTP."""

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.validators import validate_email
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.replica import tolerates_lag
from targets.api.requests import body_of, brand_of, validated
from targets.api.shapes import Number, NumberOfCustomer, Object, Word
from targets.api.views import CallView
from targets.api.weighing import SET_BASED, weighs
from targets.enums import RegisterOutcome
from targets.errors import ErrorCode
from targets.fields import CustomerIdField, StrictSerializer, TextField, path_id
from targets.models import Customer
from targets.operations import MOST_CUSTOMERS, CustomerData, put_customer, put_customers
from targets.queries import find_customer


class DetailField(TextField):
    """Something that may be known of a customer; empty unless it is sent."""

    def __init__(self, **details: Any) -> None:
        super().__init__(**{"required": False, "default": "", "allow_blank": True} | details)


class CustomerSerializer(StrictSerializer):
    """What is known of a customer. What is not sent is empty afterwards."""

    customerId = CustomerIdField(required=False, help_text="As in the path; may be left out.")
    externalId = DetailField(max_length=100, help_text="Your other id of the customer.", example="C-17")
    firstName = DetailField(max_length=100, help_text="First name.", example="Ada")
    lastName = DetailField(max_length=100, help_text="Last name.", example="Noor")
    email = DetailField(max_length=254, help_text="E-mail address, or empty.", example="ada@example.com")
    mobile = DetailField(max_length=32, help_text="Mobile number, in whatever form.", example="+49 30 123456")

    def validate_email(self, address: str) -> str:
        # Not a validator of the field: the schema would claim that the empty default is an address.
        if address:
            validate_email(address)
        return address


class RegisteredCustomerSerializer(CustomerSerializer):
    """One of many."""

    customerId = CustomerIdField()


class CustomersSerializer(StrictSerializer):
    customers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=RegisteredCustomerSerializer(),
        min_length=1,
        max_length=MOST_CUSTOMERS,
        help_text="Customers, as of `PUT`.",
    )


class RegisteredAnswer(serializers.Serializer[Any]):
    customerId = NumberOfCustomer()
    outcome = Word(RegisterOutcome.choices, "What became of the customer.")


class CustomersAnswer(serializers.Serializer[Any]):
    """What became of each customer, in the order in which they were sent."""

    totals = Object("How often each outcome came up.", {"created": 1}, child=Number("How often.", 1))
    results = RegisteredAnswer(many=True, help_text="One for each customer, in the same order.")


class CustomerView(CallView):
    """One customer, by the brand's own number."""

    required_permissions = {"get": "targets.view_customer", "put": "targets.change_customer"}
    refusals = {"get": (ErrorCode.CUSTOMER_NOT_FOUND,), "put": (ErrorCode.CUSTOMER_ERASED,)}

    @extend_schema(operation_id="readCustomer", responses={200: CustomerSerializer})
    @tolerates_lag
    def get(self, request: Request, customer_id: str) -> Answer:
        """What is known of the customer."""
        return Answer(customer_json(find_customer(brand_of(request), path_id(customer_id, "customerId"))))

    @extend_schema(
        operation_id="putCustomer",
        examples=[
            OpenApiExample(
                "Ada", {"firstName": "Ada", "lastName": "Noor", "email": "ada@example.com"}, request_only=True
            )
        ],
        request=CustomerSerializer,
        responses={200: CustomerSerializer, 201: CustomerSerializer},
    )
    @idempotent
    def put(self, request: Request, customer_id: str) -> Answer:
        """Register the customer (201), or replace what is known of him (200)."""
        number = path_id(customer_id, "customerId")
        sent = validated(CustomerSerializer, body_of(request))
        if sent.get("customerId", number) != number:
            raise serializers.ValidationError({"customerId": ["It differs from the one in the path."]})
        customer, is_new = put_customer(
            brand=brand_of(request),
            customer_id=number,
            external_id=sent["externalId"],
            first_name=sent["firstName"],
            last_name=sent["lastName"],
            email=sent["email"],
            mobile=sent["mobile"],
        )
        return Answer(customer_json(customer), status=201 if is_new else 200)


class CustomersView(CallView):
    """Many customers at once."""

    required_permissions = {"post": "targets.change_customer"}
    refusals = {"post": (ErrorCode.CUSTOMER_ERASED,)}
    max_body_bytes = settings.MAX_BULK_BODY_BYTES

    @extend_schema(
        operation_id="putCustomers",
        examples=[
            OpenApiExample(
                "Two customers",
                {"customers": [{"customerId": 1, "lastName": "Noor"}, {"customerId": "2"}]},
                request_only=True,
            )
        ],
        request=CustomersSerializer,
        responses={200: CustomersAnswer},
    )
    @weighs("customers", records_per_unit=SET_BASED, most=MOST_CUSTOMERS)
    @idempotent
    def post(self, request: Request) -> Answer:
        """Register up to 10,000 customers, or replace what is known of them: all, or none where any is wrong."""
        sent = validated(CustomersSerializer, body_of(request))["customers"]
        outcomes = put_customers(
            brand=brand_of(request),
            customers=[
                CustomerData(
                    customer_id=each["customerId"],
                    external_id=each["externalId"],
                    first_name=each["firstName"],
                    last_name=each["lastName"],
                    email=each["email"],
                    mobile=each["mobile"],
                )
                for each in sent
            ],
        )
        results = [
            {"customerId": each["customerId"], "outcome": outcome.value}
            for each, outcome in zip(sent, outcomes, strict=True)
        ]
        return Answer({"totals": Counter(each["outcome"] for each in results), "results": results})


def customer_json(customer: Customer) -> dict[str, Any]:
    return {
        "customerId": customer.customer_id,
        "externalId": customer.external_id,
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "email": customer.email,
        "mobile": customer.mobile,
    }
