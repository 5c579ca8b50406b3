"""Horizon as a person uses it: the login page, a login, the list of instances."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from stackcook.errors import VerifyError
from stackcook.verify import http
from stackcook.verify.keystone import USER, status

if TYPE_CHECKING:
    from requests import Response, Session

LOGIN = "/auth/login/"
INSTANCES = "/project/instances/"
CSRF = re.compile(r"""name=["']csrfmiddlewaretoken["'] value=["']([^"']+)""")
REGION = re.compile(r"""name=["']region["'][^>]*value=["']([^"']+)""")
HOPS = 5


def base(address: str) -> str:
    """Where Horizon is, given the address of the node that runs it."""
    return f"http://{address}/horizon"


def login_page(url: str) -> None:
    """Look at the login page below ``url``; raises VerifyError if it isn't one."""
    _login_form(http.new_session(), url)


def sign_in(url: str, password: str) -> None:
    """Log in and open the list of instances; ``url`` is Horizon's root, without a slash.

    Raises VerifyError that says at which of these steps it went wrong.
    """
    session = http.new_session()
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
    answer = http.request(
        "POST", login, session=session, data=form, headers={"Referer": login}, timeout=15
    )
    if answer.status_code != 302:
        raise VerifyError(f"Horizon's login is refused: {_said(answer)}")
    answer = _follow(session, url + INSTANCES)
    if answer.status_code != 200 or "/auth/login" in answer.url:
        raise VerifyError(f"Horizon's list of instances answers {status(answer)}, after a login")
    if "instances" not in answer.text:
        raise VerifyError("Horizon's list of instances shows no list, after a login")


def _login_form(session: Session, url: str) -> str:
    answer = _follow(session, url + LOGIN)
    if answer.status_code != 200:
        raise VerifyError(f"Horizon's login page {url + LOGIN} answers {status(answer)}")
    if not CSRF.search(answer.text):
        raise VerifyError(f"{url + LOGIN} answers, but not with Horizon's login form")
    return answer.text


def _follow(session: Session, url: str) -> Response:
    """The answer behind the redirects, if there are few and all of them stay on the host."""
    host = "/".join(url.split("/")[:3])
    for _ in range(HOPS):
        # The first page after a start takes Django some seconds to load.
        answer = http.request("GET", url, session=session, timeout=15)
        if answer.status_code not in (301, 302, 303, 307, 308):
            return answer
        url = urljoin(url, answer.headers.get("Location", ""))
        if not url.startswith(host + "/"):
            raise VerifyError(f"Horizon leads away from its host, to {url[:120]}")
    raise VerifyError(f"Horizon redirects in a circle, at {url[:120]}")


def _said(answer: Response) -> str:
    """Why the login form came back: the form's own word, else the status."""
    found = re.search(r'class="[^"]*(?:alert-danger|error)[^"]*"[^>]*>(.*?)</', answer.text, re.S)
    words = re.sub(r"<[^>]+>", " ", found.group(1)).split() if found else []
    return " ".join(words)[:160] or status(answer)
