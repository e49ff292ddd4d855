"""The request as views of calls see it."""

from django.test import RequestFactory
from rest_framework.views import APIView

from targets.api.views import CallRequest, CallView


def made_by(view, request):
    return view().initialize_request(request)


def test_request_says_what_that_of_the_framework_does():
    sent = RequestFactory().post("/v3/x?a=1", data="{}", content_type="application/json", headers={"X-Y": "z"})
    sent.request_id = "id"

    ours, plain = made_by(CallView, sent), made_by(APIView, sent)

    assert isinstance(ours, CallRequest)
    assert (ours.method, ours.path_info, ours.content_type) == ("POST", "/v3/x", "application/json")
    assert ours.META is plain.META is sent.META
    assert (ours.query_params, ours.request_id) == (plain.query_params, "id")
    assert [type(each) for each in ours.parsers] == [type(each) for each in plain.parsers]
    assert [type(each) for each in ours.authenticators] == [type(each) for each in plain.authenticators]
    assert type(ours.negotiator) is type(plain.negotiator)
    assert not hasattr(ours, "unknown")
