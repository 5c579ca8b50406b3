"""Chromium without a window, driven through chromedriver by Selenium; the adapter of all three.

They are only needed for ``stackcook verify --horizon``, so Selenium is imported when it is used.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from stackcook.command import Command, find_program, run
from stackcook.errors import UsageError, VerifyError, one_line
from stackcook.files import private_directory
from stackcook.verify.check import poll

T = TypeVar("T")

PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}
"""Each program, and Debian's package that has it."""

LIBRARY = "python3-selenium"

CERTUTIL = "libnss3-tools"
"""Has certutil, with which Chromium accepts a CA."""

PATIENCE = 60.0
"""Seconds that something may take to appear on a page."""

_SAME_VERSION = "check that `chromium --version` and `chromedriver --version` show the same version"
_PAUSE = 0.2
_PAGE = 120
"""Seconds that a page may take to load."""


def check_installed() -> None:
    """Raise UsageError with the command that installs what is missing."""
    missing = [] if find_spec("selenium") else [LIBRARY]
    for program, package in PROGRAMS.items():
        try:
            find_program(program)
        except UsageError:
            missing.append(package)
    if missing:
        sudo = "sudo " if os.geteuid() else ""
        raise UsageError(
            f"`stackcook verify --horizon` needs Debian's {' and '.join(missing)}",
            remedy=f"run `{sudo}apt-get install {' '.join(missing)}`",
        )


class _NotYet(VerifyError):
    """An element is not what it was a moment ago; worth another look."""


class Browser:
    """One tab. Elements are named by XPath, and only those that are displayed count.

    ``what`` says in a message what was looked for. All methods raise VerifyError if it does not
    appear in time, or if the browser fails.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        """Load a page."""
        with _failures():
            self._driver.get(url)

    def wait(self, what: str, look: Callable[[], T], seconds: float = PATIENCE) -> T:
        """What ``look`` returns, once that is true; the page may change while it looks."""

        def attempt() -> T | None:
            try:
                return look()
            except _NotYet:
                return None

        deadline = time.monotonic() + seconds
        found = poll(deadline, attempt, bool, lambda left: time.sleep(min(left, _PAUSE)))
        if not found:
            raise VerifyError(f"{what} did not appear within {seconds:.0f} s")
        return found

    def shown(self, xpath: str) -> list[Any]:
        """The elements that are displayed now."""
        with _failures():
            return [e for e in self._driver.find_elements("xpath", xpath) if e.is_displayed()]

    def find(self, what: str, xpath: str, seconds: float = PATIENCE) -> Any:
        """The first such element, once one is displayed."""
        return self.wait(what, lambda: self.shown(xpath), seconds)[0]

    def press(self, xpath: str) -> bool:
        """Click the first such element if it is displayed and enabled; whether it was."""
        with _failures():
            found = [element for element in self.shown(xpath) if element.is_enabled()]
            if found:
                found[0].click()
        return bool(found)

    def click(self, what: str, xpath: str) -> None:
        """Click the first such element, once it is displayed and enabled."""
        self.wait(what, lambda: self.press(xpath))

    def fill(self, what: str, xpath: str, text: str) -> None:
        """Type into an input field, once it is there, instead of what it has."""

        def look() -> bool:
            found = self.shown(xpath)
            with _failures():
                for field in found[:1]:
                    field.clear()
                    field.send_keys(text)
            return bool(found)

        self.wait(what, look)

    def texts(self, xpath: str) -> tuple[str, ...]:
        """What is displayed in each such element."""
        with _failures():
            return tuple(str(element.text).strip() for element in self.shown(xpath))

    def link(self, what: str, xpath: str) -> str:
        """Where the first such element, a link, leads."""
        element = self.find(what, xpath)
        with _failures():
            return str(element.get_attribute("href"))

    @contextmanager
    def frame(self, what: str, xpath: str) -> Iterator[None]:
        """Look into a frame of the page."""
        element = self.find(what, xpath)
        with _failures():
            self._driver.switch_to.frame(element)
        try:
            yield
        finally:
            with _failures():
                self._driver.switch_to.default_content()

    def screenshot(self) -> bytes:
        """What is displayed now, as PNG."""
        with _failures():
            return bytes(self._driver.get_screenshot_as_png())


@contextmanager
def chromium(directory: Path, hosts: Collection[str], ca: Path | None = None) -> Iterator[Browser]:
    """A new browser, which reaches no other hosts than ``hosts``.

    It accepts certificates of the CA in ``ca`` besides those that it knows. Its profile is in
    ``directory``, which is removed at the end; what a killed run has left there is removed first.
    Raises VerifyError if it does not start.
    """
    from selenium import webdriver

    shutil.rmtree(directory, ignore_errors=True)
    private_directory(directory)
    try:
        if ca:
            _trust(directory, ca)
        with _chromedriver(directory) as url:
            with _failures(_SAME_VERSION):
                driver = webdriver.Remote(url, options=_options(directory, hosts))
                driver.set_page_load_timeout(_PAGE)
            try:
                yield Browser(driver)
            finally:
                with _failures():
                    driver.quit()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _trust(directory: Path, ca: Path) -> None:
    """Add a CA to those of the user whose home is ``directory``. Raises VerifyError."""
    database = private_directory(directory / ".pki" / "nssdb")
    try:
        program = find_program("certutil")
        for arguments in (
            ("-N", "--empty-password"),
            ("-A", "-t", "C,,", "-n", "the cloud's CA", "-i", str(ca)),
        ):
            done = run(Command((str(program), "-d", f"sql:{database}", *arguments)))
            if done.status:
                raise VerifyError(
                    f"Chromium cannot accept the CA in {ca}: certutil: {done.last}",
                    remedy=f"check it with `openssl x509 -noout -text -in {shlex.quote(str(ca))}`",
                )
    except UsageError as error:
        remedy = f"install Debian's {CERTUTIL}: sudo apt-get install {CERTUTIL}"
        raise VerifyError("Chromium accepts the CA only with certutil", remedy=remedy) from error


def _options(directory: Path, hosts: Collection[str]) -> Any:
    from selenium import webdriver

    options: Any = webdriver.ChromeOptions()  # Selenium is only partly annotated
    options.ignore_local_proxy_environment_variables()  # for the way to chromedriver
    options.binary_location = str(find_program("chromium"))
    excluded = "".join(f", EXCLUDE {host}" for host in sorted(hosts))
    for argument in (
        "--headless=new",
        "--window-size=1280,1024",
        f"--user-data-dir={directory}",
        "--accept-lang=en-US",  # pages.py names steps of a dialog in English
        "--no-proxy-server",
        f"--host-resolver-rules=MAP * ~NOTFOUND{excluded}",  # no other host name resolves
        "--remote-debugging-pipe",  # no port for others; it ends if chromedriver does
        "--disable-dev-shm-usage",  # /dev/shm is small in containers
    ):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # as root, Chromium's sandbox does not start
    options.add_experimental_option("prefs", {"credentials_enable_service": False})
    return options


@contextmanager
def _chromedriver(directory: Path) -> Iterator[str]:
    """The URL of a chromedriver; it ends with this process, even if that is killed."""
    argv = [str(find_program("setpriv")), "--pdeathsig", "KILL"]
    argv += [str(find_program("chromedriver")), "--port=0"]
    places = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    environment = {
        **{name: value for name, value in os.environ.items() if "_proxy" not in name.lower()},
        **dict.fromkeys(places, str(directory)),
    }
    process = subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # after Ctrl-C, it is still needed for a proper end
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                yield f"http://127.0.0.1:{found[1]}"
                return
        raise VerifyError(
            f"chromedriver ended with status {process.wait()}",
            remedy="run `chromedriver` yourself to see why",
        )
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def _failures(remedy: str = "") -> Iterator[None]:
    """Raise Selenium's exceptions as VerifyError; ``remedy`` is what to do if Chromium fails."""
    from selenium.common import exceptions
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (
        exceptions.StaleElementReferenceException,
        exceptions.ElementNotInteractableException,
        exceptions.ElementClickInterceptedException,
    ) as error:
        raise _NotYet(f"Chromium: {one_line(str(error.msg))[:200]}") from error
    except exceptions.WebDriverException as error:
        what = f"Chromium: {one_line(str(error.msg))[:200]}"
        raise VerifyError(what, remedy=remedy) from error
    except HTTPError as error:
        raise VerifyError(
            f"chromedriver does not respond: {one_line(str(error))[:200]}",
            remedy="see with `free -m` whether this machine has memory left, then run it again",
        ) from error
