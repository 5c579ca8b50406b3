"""Checks Horizon as a user would: the login page, a login, the list of instances."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from stackcook.addresses import bracketed
from stackcook.errors import VerifyError
from stackcook.verify.openstack import USER, new_session, request, status
from stackcook.verify.placing import Placed

LOGIN = "/auth/login/"
INSTANCES = "/project/instances/"
CSRF = re.compile(r"""name=["']csrfmiddlewaretoken["'] value=["']([^"']+)""")
REGION = re.compile(r"""name=["']region["'][^>]*value=["']([^"']+)""")
HOPS = 5
ADD_NAME = "add it to the attribute openstack.dashboard.allowed_hosts, and run `stackcook converge`"
_BAD_REQUEST = 400  # Django's answer to a host name that ALLOWED_HOSTS lacks
TIMEOUT = 15.0
"""Seconds that a page may take: after a start, the first one takes Django some."""


def base(node: Placed) -> str:
    """Where Horizon is, given a node that runs it; without a slash at the end."""
    shared = bracketed(node.virtual or node.address)
    url = node.urls.get("dashboard") or f"http://{shared}/horizon"
    return url.rstrip("/")


def login_page(url: str, timeout: float = TIMEOUT, ca: Path | None = None) -> None:
    """Look at the login page below ``url``; raises VerifyError if it isn't one.

    ``ca`` is as for :func:`new_session`, here and below.
    """
    _login_form(new_session(ca), url, timeout)


def accepts(url: str, name: str, ca: Path | None = None) -> bool:
    """Whether Horizon may be opened under this host name; ``url`` is its root, without a slash.

    Raises VerifyError if it does not respond.
    """
    response = request(
        "GET", url + LOGIN, session=new_session(ca), headers={"Host": name}, timeout=TIMEOUT
    )
    return bool(response.status_code != _BAD_REQUEST)


def sign_in(url: str, password: str, ca: Path | None = None) -> None:
    """Log in and open the list of instances; ``url`` is Horizon's root, without a slash.

    Raises VerifyError that says at which of these steps it went wrong.
    """
    session = new_session(ca)
    page = _login_form(session, url)
    token, region = CSRF.search(page), REGION.search(page)
    form = {
        "csrfmiddlewaretoken": token.group(1) if token else "",
        "username": USER,
        "password": password,
        "region": region.group(1) if region else "default",
        "auth_type": "credentials",
        "next": "/horizon/",
    }
    login = url + LOGIN
    response = request(
        "POST", login, session=session, data=form, headers={"Referer": login}, timeout=TIMEOUT
    )
    if response.status_code != 302:
        raise VerifyError(f"Horizon rejects the login: {_said(response)}")
    response = _follow(session, url + INSTANCES)
    if response.status_code != 200 or "/auth/login" in response.url:
        raise VerifyError(
            f"after the login, Horizon's list of instances returns {status(response)}"
        )
    if "instances" not in response.text:
        raise VerifyError("the page after Horizon's login has no list of instances")


def _login_form(session: Any, url: str, timeout: float = TIMEOUT) -> str:
    response = _follow(session, url + LOGIN, timeout)
    if response.status_code == _BAD_REQUEST:
        what = f"Horizon does not accept the host name {urlsplit(url).hostname}"
        raise VerifyError(f"{what}: {url + LOGIN} returned {status(response)}", remedy=ADD_NAME)
    if response.status_code != 200:
        raise VerifyError(f"Horizon's login page {url + LOGIN} returned {status(response)}")
    if not CSRF.search(response.text):
        raise VerifyError(f"{url + LOGIN} responds, but without Horizon's login form")
    text: str = response.text
    return text


def _follow(session: Any, url: str, timeout: float = TIMEOUT) -> Any:
    """The response after redirects, if there are few and all of them stay on the host."""
    host = "/".join(url.split("/")[:3])
    for _ in range(HOPS):
        response = request("GET", url, session=session, timeout=timeout)
        if response.status_code not in (301, 302, 303, 307, 308):
            return response
        url = urljoin(url, response.headers.get("Location", ""))
        if not url.startswith(host + "/"):
            raise VerifyError(f"Horizon redirects to another host: {url[:120]}")
    raise VerifyError(f"too many redirects by Horizon, the last one to {url[:120]}")


def _said(response: Any) -> str:
    """Why Horizon rejected the login: the form's own message, else the status."""
    found = re.search(r'class="[^"]*(?:alert-danger|error)[^"]*"[^>]*>(.*?)</', response.text, re.S)
    words = re.sub(r"<[^>]+>", " ", found.group(1)).split() if found else []
    return " ".join(words)[:160] or status(response)
