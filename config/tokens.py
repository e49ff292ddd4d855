"""Where API clients get tokens: RFC 6749's `/oauth/token`, and the published `/v3/oauth/token/generate` (api.md 2)."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from django.db import IntegrityError
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from oauth2_provider.oauth2_backends import get_oauthlib_core
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import OAuth2Error
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config import authentication
from config.authentication import MOST_USERNAME, BrandBasicAuthentication, decoded, is_active
from config.envelope import failure_of
from config.guessing import network_of
from config.parsing import StrictFormParser
from targets import quota
from targets.addresses import client_address
from targets.answers import Answer
from targets.api.requests import body_of, validated
from targets.api.shapes import Number, Text
from targets.api.views import CallView
from targets.errors import InvalidInput
from targets.fields import StrictSerializer, TextField
from targets.models import ApiUser

GRANT = "client_credentials"
RFC_ERRORS = {
    401: "invalid_client",
    429: "temporarily_unavailable",
    500: "server_error",
    503: "temporarily_unavailable",
}


class ClientValidator(OAuth2Validator):
    """The library's rules, and ours: a client is as good as its API user is active, and a token costs him a unit."""

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        if not super().authenticate_client(request, *args, **kwargs):
            return False
        owner = ApiUser.objects.select_related("user", "brand").filter(user=request.client.user_id).first()
        if owner is None or not is_active(owner):
            return False
        seconds = quota.leases.spend(owner, units=1, at=timezone.now())
        if seconds:
            raise Throttled(seconds)
        return True


def ask_for_token(request: Request, parameters: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and answer of the OAuth server, as RFC 6749 has them in 5.1 and 5.2.

    Raises `AuthenticationFailed` where the client is unknown, inactive or has another secret, `Throttled` where it has
    failed like that too often from there. A right secret is taken all the same.
    """
    try:
        return answer_of_server(parameters)
    except AuthenticationFailed:
        client_id, network = parameters.get("client_id", "")[:MOST_USERNAME], network_of(client_address(request))
        authentication.guesses.refuse_too_many(client_id, network)
        authentication.guesses.count(client_id, network)
        raise


def answer_of_server(parameters: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    server = get_oauthlib_core().server
    try:
        _, text, status = server.create_token_response("/oauth/token", "POST", list(parameters.items()), {})
    except OAuth2Error as error:
        status, text = error.status_code, error.json
    except IntegrityError:  # the client was revoked while its token was being written
        raise AuthenticationFailed from None
    if status == 401:
        raise AuthenticationFailed
    return status, json.loads(text)


class ClientCredentialsView(CallView):
    """Who asks for a token shows the credentials of a client, and needs no permission. No answer is kept anywhere."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    max_body_bytes = 10_000

    def get_authenticate_header(self, request: Request) -> str:
        return BrandBasicAuthentication().authenticate_header(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer


class TokenView(ClientCredentialsView):
    """`POST /oauth/token`, not enveloped. Client id and secret come by Basic, or in the form."""

    parser_classes = (StrictFormParser,)
    renderer_classes = (JSONRenderer,)

    def get_exception_handler(self) -> Any:
        return rfc_failure

    def post(self, request: Request) -> Response:
        if request.query_params:
            raise InvalidInput("Parameters belong into the body.")
        status, answer = ask_for_token(request, token_parameters(request))
        return Response(answer, status=status)


def token_parameters(request: Request) -> dict[str, str]:
    """The parameters that are of use here; others are passed over (RFC 6749, 3.2).

    Raises `AuthenticationFailed` where the header makes no sense, `InvalidInput` where there are two secrets.
    """
    known = ("grant_type", "scope", "client_id", "client_secret")
    sent: Mapping[str, str] = request.data  # type: ignore[assignment]  # StrictFormParser gives no list
    parameters = {name: sent[name] for name in known if name in sent}
    scheme, _, credentials = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not scheme:
        return parameters
    if scheme.lower() != "basic":
        raise AuthenticationFailed
    if "client_secret" in parameters:
        raise InvalidInput("The client is authenticated in two ways: send the secret once.")
    client_id, client_secret = map(unquote_plus, decoded(credentials))
    return parameters | {"client_id": client_id, "client_secret": client_secret}


def rfc_failure(exc: Exception, context: Mapping[str, Any]) -> Response:
    """A failure in the form of RFC 6749, 5.2."""
    failure = failure_of(exc)
    told = {"error": RFC_ERRORS.get(failure.status_code, "invalid_request")}
    if failure.status_code == 415:
        told["error_description"] = f"The body must be {StrictFormParser.media_type}."
    elif isinstance(exc, InvalidInput):
        told["error_description"] = exc.message
    return Response(told, status=failure.status_code, headers=failure.extra)


class KeySerializer(StrictSerializer):
    """The credentials of a client."""

    key = TextField(max_length=255, help_text="The client id.", example="q3ZkX0bV8yT1mL5n")
    secret = TextField(
        max_length=255, trim_whitespace=False, help_text="The client secret.", example="shown once, when it is made"
    )


class TokenAnswer(serializers.Serializer[Any]):
    accessToken = Text("Send it as X-CAP-API-OAUTH-TOKEN, or as a bearer token.", "2YotnFZFEjr1zCsicMWpAA")
    ttlSeconds = Number("How long it is valid, in seconds.", 3600)


class PublishedTokenView(ClientCredentialsView):
    """The published way to a token, inside the envelope; it covers reading and writing."""

    @extend_schema(
        operation_id="generateToken",
        examples=[OpenApiExample("A client", {"key": "q3ZkX0bV8yT1mL5n", "secret": "its secret"}, request_only=True)],
        request=KeySerializer,
        responses={200: TokenAnswer},
        auth=[],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Answer:
        """A token for a client. Standard clients use `/oauth/token` instead (RFC 6749, client credentials)."""
        sent = validated(KeySerializer, body_of(request))
        client = {"client_id": sent["key"], "client_secret": sent["secret"]}
        _, answer = ask_for_token(request, {"grant_type": GRANT, **client})
        return Answer({"accessToken": answer["access_token"], "ttlSeconds": answer["expires_in"]})
