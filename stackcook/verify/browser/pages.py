"""Horizon's pages, as far as ``verify --horizon`` uses them: where to click, and what then appears.

The names of the elements are those of Horizon 25 (2025.1). Texts are English, see chromium.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackcook.errors import VerifyError, one_line
from stackcook.verify.browser.chromium import Browser, chromium

REMOVAL = 120.0
"""Seconds that a server or volume may take to disappear."""


def has(word: str) -> str:
    """The XPath condition for an element of this class."""
    return f"contains(concat(' ', @class, ' '), ' {word} ')"


def labelled(text: str) -> str:
    """The XPath condition for an element with this text."""
    return f"normalize-space() = '{text}'"


@dataclass(frozen=True)
class Horizon:
    """The dashboard at ``url``, without a slash at the end; a user is signed in or not."""

    browser: Browser
    url: str

    def sign_in(self, user: str, password: str) -> None:
        """Fill in the login form; raises VerifyError with Horizon's message if it is rejected."""
        self.browser.open(f"{self.url}/auth/login/")
        self.browser.fill("the login form", "//input[@id='id_username']", user)
        self.browser.fill("the field for the password", "//input[@id='id_password']", password)
        self.browser.click("the button Sign In", "//button[@id='loginBtn']")
        self.browser.find("the user's menu", _USER_MENU)

    def sign_out(self) -> None:
        """Sign out by the user's menu."""
        self.browser.click("the user's menu", _USER_MENU)
        self.browser.click("Sign Out", "//a[contains(@href, '/auth/logout/')]")
        self.browser.find("the login form", "//input[@id='id_username']")

    def hypervisors(self) -> tuple[str, ...]:
        """The host names in the administrator's list of hypervisors."""
        self.browser.open(f"{self.url}/admin/hypervisors/")
        link = "//table[@id='hypervisors']/tbody//td//a"
        return self.browser.wait("a hypervisor", lambda: self.browser.texts(link))

    def launch(
        self, name: str, *, image: str, flavor: str, network: str, volumes: bool, seconds: float
    ) -> None:
        """Launch an instance by the dialog, and wait until it is active.

        ``volumes`` says whether the cloud has any: the dialog then offers one as the disk.
        """
        self.instances.open()
        dialog = LaunchInstance(self.browser)
        dialog.open(name)
        dialog.step("Source")
        if volumes:
            dialog.without_volume()
        dialog.choose("Source", image)
        dialog.step("Flavor")
        dialog.choose("Flavor", flavor)
        dialog.step("Networks")
        dialog.choose("Networks", network)
        dialog.launch()
        self.instances.expect(name, "Active", seconds)

    def create_volume(self, name: str, seconds: float) -> None:
        """Create an empty volume by the dialog, and wait until it is available."""
        self.volumes.open()
        CreateVolume(self.browser).create(name)
        self.volumes.expect(name, "Available", seconds)

    @property
    def instances(self) -> Table:
        """The project's instances."""
        return Table(self.browser, f"{self.url}/project/instances/", "instances")

    @property
    def volumes(self) -> Table:
        """The project's volumes."""
        return Table(self.browser, f"{self.url}/project/volumes/", "volumes")

    def alert(self) -> str:
        """The error message that is displayed, ``""`` if there is none."""
        return one_line(" ".join(self.browser.texts(f"//div[{has('alert-danger')}]")))

    def screenshot(self) -> bytes:
        """What is displayed now, as PNG."""
        return self.browser.screenshot()


@contextmanager
def open_horizon(
    url: str, directory: Path, hosts: Collection[str], ca: Path | None = None
) -> Iterator[Horizon]:
    """The dashboard at ``url`` in a new browser; see :func:`chromium` for the others."""
    with chromium(directory, hosts, ca) as browser:
        yield Horizon(browser, url)


_USER_MENU = f"//*[{has('user-name')}]"


@dataclass(frozen=True)
class Table:
    """A list of things that have a name and a status."""

    browser: Browser
    url: str
    id: str

    def open(self) -> None:
        """Show the list."""
        self.browser.open(self.url)

    def expect(self, name: str, status: str, seconds: float) -> None:
        """Wait until the row has this status; raises VerifyError also if it is ``Error``."""
        cells = f"{self._row(name)}/td"

        def look() -> bool:
            found = self.browser.texts(cells)
            if "Error" in found:
                raise VerifyError(
                    f"Horizon lists {name} with status Error",
                    remedy="run `stackcook verify --instance` to see what breaks",
                )
            return status in found

        self.browser.wait(f"{name} with status {status}", look, seconds)

    def details(self, name: str) -> Details:
        """The page to which the link of a row leads."""
        self.open()
        link = f"{self._row(name)}//a[contains(@href, '/{self.id}/')]"
        return Details(self.browser, self.browser.link(f"the link {name}", link))

    def delete(self, name: str) -> None:
        """Delete by the menu of a row, and wait until the row is gone."""
        self.open()
        row = self._row(name)
        self.browser.click(f"the menu of {name}", f"{row}//*[{has('dropdown-toggle')}]")
        self.browser.click("Delete", f"{row}//*[contains(@id, '__action_delete')]")
        self.browser.click("the button to confirm", _CONFIRM)
        what = f"the list without {name}"
        self.browser.wait(what, lambda: not self.browser.shown(row), REMOVAL)

    def _row(self, name: str) -> str:
        return f"//table[@id='{self.id}']/tbody/tr[@data-display='{name}']"


_CONFIRM = f"//div[{has('modal-footer')}]/a[{has('btn-danger')} or {has('btn-primary')}]"


@dataclass(frozen=True)
class LaunchInstance:
    """The dialog Launch Instance; the list of instances is shown."""

    browser: Browser

    def open(self, name: str) -> None:
        """Open it and fill in the name of the instance."""
        self.browser.click("Launch Instance", "//a[@id='instances__action_launch-ng']")
        self.browser.fill("the instance's name", "//wizard//input[@id='name']", name)

    def step(self, title: str) -> None:
        """Go to a step."""
        self.browser.click(f"step {title}", f"//div[{has('wizard-nav')}]//a[{labelled(title)}]")

    def without_volume(self) -> None:
        """In step Source, say that the instance's disk is no new volume."""
        toggle = f"//label[@id='vol-create'][{labelled('No')}]"
        self.browser.click("Create New Volume: No", toggle)

    def choose(self, title: str, name: str) -> None:
        """In the step that is shown, move the row with this name to those that are chosen."""
        row = f"//tr[td[{labelled(name)}]]"
        chosen = f"//div[{has('transfer-allocated')}]{row}"
        button = f"//div[{has('transfer-available')}]{row}//button"

        def look() -> bool:
            if self.browser.shown(chosen):  # Horizon may have chosen the only one itself
                return True
            self.browser.press(button)
            return False

        self.browser.wait(f"{name} in step {title}", look)

    def launch(self) -> None:
        """Press the button, which closes the dialog."""
        button = f"//wizard//button[{has('finish')}]"
        self.browser.click("the button Launch Instance", button)
        self.browser.wait("the end of the dialog", lambda: not self.browser.shown(button))


@dataclass(frozen=True)
class CreateVolume:
    """The dialog Create Volume; the list of volumes is shown."""

    browser: Browser

    def create(self, name: str) -> None:
        """Create an empty volume of 1 GiB, which is the default size."""
        self.browser.click("Create Volume", "//a[@id='volumes__action_create']")
        form = f"//div[{has('modal-dialog')}]//form"
        self.browser.fill("the volume's name", f"{form}//input[@id='id_name']", name)
        self.browser.click("the button Create Volume", f"{form}//*[@type='submit']")


@dataclass(frozen=True)
class Details:
    """The page of one instance."""

    browser: Browser
    url: str

    def expect_log(self, line: str, seconds: float) -> None:
        """Wait until this is in the log, which is read anew at each look."""
        tab = "instance_details__log"

        def look() -> bool:
            self.browser.open(f"{self.url}?tab={tab}")
            return any(line in text for text in self.browser.texts(f"//*[@id='{tab}']//pre"))

        self.browser.wait(f"`{line}` in the console log", look, seconds)

    def console(self) -> None:
        """Wait until noVNC has connected to the instance's screen."""
        self.browser.open(f"{self.url}?tab=instance_details__console")
        with self.browser.frame("the console's frame", "//iframe[@id='console_embed']"):
            lite = "//*[@id='status'][starts-with(normalize-space(), 'Connected')]"
            full = f"//html[{has('noVNC_connected')}]"  # of vnc.html, where the message disappears
            self.browser.find("a noVNC that is connected", f"{lite} | {full}")
            self.browser.find("the instance's screen", "//canvas")
