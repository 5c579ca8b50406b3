"""The requests of one API's probes: each has a time limit, and a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, TypeVar

from stackcook.errors import VerifyError
from stackcook.verify.openstack import Cloud, Endpoint, Refused, sign_in

T = TypeVar("T")

EARLY = 60.0
"""Seconds before its end at which a token is used no more: the clocks of nodes may differ."""


@dataclass
class Target:
    """A cloud to probe; ``name`` is for people, ``dashboard`` Horizon's root or empty.

    ``cloud`` has the newest token: each probe of Keystone replaces it. ``silent`` says why there
    was no token at first; its catalog has only Keystone then.
    """

    name: str
    cloud: Cloud
    password: str = field(repr=False)
    dashboard: str = ""
    silent: VerifyError | None = None


class Client:
    """Makes the requests for one endpoint; ``seconds`` are those that the successful ones took.

    A token is used until shortly before it expires, so that an API that knows it already is not
    affected by a failure of Keystone, and so that keys of Keystone that are lost show. Then the
    target's newest one is used, also after the API has refused one, which is a failure.
    """

    def __init__(self, target: Target, endpoint: Endpoint, timeout: float) -> None:
        self._target = target
        self._type = endpoint.type
        self._cloud = replace(target.cloud, catalog=(endpoint,))
        self._timeout = timeout
        self.seconds: list[float] = []

    @property
    def user(self) -> str:
        """The ID of the user; empty as long as Keystone has not answered."""
        return self._target.cloud.user

    def make(self, step: str, work: Callable[[Cloud, float], T]) -> T:
        """What ``work`` returns, given the cloud and the seconds that it may take.

        Raises VerifyError that names the step.
        """
        if self._cloud.expires - time.monotonic() < EARLY:
            self._take_newest_token()
        try:
            return self._timed(work)
        except VerifyError as error:
            if isinstance(error, Refused) and error.status == 401:
                self._take_newest_token()
            raise VerifyError(f"{step}: {error.what}") from error

    def _take_newest_token(self) -> None:
        newest = self._target.cloud
        self._cloud = replace(self._cloud, token=newest.token, expires=newest.expires)

    def _timed(self, work: Callable[[Cloud, float], T]) -> T:
        began = time.monotonic()
        found = within(self._timeout, lambda: work(self._cloud, self._timeout))
        self.seconds.append(time.monotonic() - began)
        return found

    def call(
        self, step: str, method: str, path: str, body: Any = None, *, version: str = ""
    ) -> Any:
        """As :meth:`Cloud.call`; raises VerifyError that names the step."""

        def work(cloud: Cloud, timeout: float) -> Any:
            return cloud.call(method, self._type, path, body, version=version, timeout=timeout)

        return self.make(step, work)

    def delete(self, path: str, *, version: str = "", left: bool = False) -> None:
        """Delete what another probe may have deleted; raises as :meth:`call` does.

        What an earlier probe has ``left`` may be refused: the API responds. Glance never deletes an
        image of which a process that was killed had begun the deletion.
        """
        good = (400, 404, 409) if left else (404,)

        def work(cloud: Cloud, timeout: float) -> None:
            try:
                cloud.call("DELETE", self._type, path, version=version, timeout=timeout)
            except Refused as error:
                if error.status not in good:
                    raise

        self.make("delete", work)

    def sign_in(self) -> None:
        """Get a new token for the target from this endpoint; raises as :meth:`call` does."""
        target = self._target

        def work(cloud: Cloud, timeout: float) -> Cloud:
            url = cloud.url(self._type)
            return sign_in(url, target.password, cloud.os_cloud, timeout, cloud.ca)

        target.cloud = self.make("token", work)
        self._take_newest_token()


def within(timeout: float, work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; raises VerifyError after ``timeout`` seconds.

    It then goes on in its thread. The time limits of a connection are not enough: they are for each
    packet and each address, and none is for DNS.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(timeout)
    except TimeoutError as error:
        if future.done():
            raise
        raise VerifyError(f"no response within {timeout:g} s") from error
