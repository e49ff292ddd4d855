import pytest
from django.test import RequestFactory

from targets.addresses import client_address

PROXIES = ["10.0.0.0/8", "2001:db8::1"]


@pytest.mark.parametrize(
    ("connected", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not from a proxy: he says what he likes
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),  # the client has written 6.6.6.6
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        ("2001:db8::1", " 2001:DB8::0009 ", "2001:db8::9"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "fe80::1%" + "a" * 60, "fe80::1"),  # the zone is a word of the sender's, as long as he likes
        ("", "198.51.100.1", "198.51.100.1"),
        ("", None, ""),
    ],
)
def test_address_is_that_of_whoever_stands_before_our_proxies(settings, connected, forwarded, address):
    settings.TRUSTED_PROXIES = PROXIES
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}

    assert client_address(RequestFactory().get("/", REMOTE_ADDR=connected, **headers)) == address


@pytest.mark.parametrize("connected", ["203.0.113.9", ""])
def test_without_trusted_proxies_no_header_is_believed(settings, connected):
    settings.TRUSTED_PROXIES = []
    request = RequestFactory().get("/", REMOTE_ADDR=connected, HTTP_X_FORWARDED_FOR="198.51.100.1")

    assert client_address(request) == connected
