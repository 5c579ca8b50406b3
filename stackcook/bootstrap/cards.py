"""The network cards of a host, and which of them an interface of the manifest means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stackcook.manifest.model import Interface, InterfaceKind, Match


@dataclass(frozen=True)
class Card:
    """A network card: its name, also its ``others``; ``speed`` in Mbit/s.

    ``link`` is whether it has one, ``mtu`` is in bytes. None or empty: unknown.
    """

    name: str
    mac: str
    pci: str = ""
    speed: int | None = None
    others: tuple[str, ...] = ()
    link: bool | None = None
    mtu: int | None = None
    driver: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All of its names."""
        return (self.name, *self.others)


class NoCard(Exception):
    """An interface has no card, or not one alone; the text says why."""


def read_cards(said: Mapping[str, str]) -> tuple[Card, ...]:
    """The cards in the output of preflight.sh, in the order of their PCI addresses."""
    found = []
    for key, value in said.items():
        if key.startswith("card "):
            try:
                mac, pci, speed, *others = value.split()
            except ValueError:
                continue  # it went away meanwhile
            known = int(speed) if speed.isdigit() else None
            pci = "" if pci == "-" else pci
            name = key.removeprefix("card ")
            found.append(Card(name, mac, pci, known, tuple(others), *_link(said, name)))
    return tuple(sorted(found, key=lambda card: (card.pci, len(card.name), card.name)))


def _link(said: Mapping[str, str], name: str) -> tuple[bool | None, int | None, str]:
    """Whether a card has a link, its MTU, and its driver."""
    carrier, mtu, driver = (*said.get(f"link {name}", "").split(), "", "", "")[:3]
    link = {"0": False, "1": True}.get(carrier)  # "-": the interface is down
    return link, int(mtu) if mtu.isdigit() else None, driver


def select(interface: Interface, cards: Sequence[Card]) -> Card:
    """The card of an ``ethernets`` interface. Raises NoCard."""
    match = meant(interface)
    fitting = [card for card in cards if _fits(match, card)]
    if match.order:
        if match.order <= len(fitting):
            return fitting[match.order - 1]
        raise NoCard(
            f"it has only {len(fitting)} of the {match.order} network cards {described(match)}"
        )
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise NoCard(
            f"it has several network cards {described(match)}: {_listed(fitting)}; add `order`"
        )
    raise NoCard(
        f"it has no network card {described(match)}, only {_listed(cards) or 'none at all'}"
    )


def meant(interface: Interface) -> Match:
    """What the card of an ``ethernets`` interface must have."""
    return interface.match or Match(name=interface.name)


def described(match: Match) -> str:
    """What the cards must have, in a few words."""
    return "with " + ", ".join(_words(match)) if any(_words(match)) else "of any kind"


def chosen(
    interfaces: Iterable[Interface], cards: Sequence[Card]
) -> tuple[Mapping[str, Card], Sequence[str]]:
    """The card of each ``ethernets`` interface by name, and what is wrong with the others."""
    found: dict[str, Card] = {}
    wrong = []
    for interface in interfaces:
        if interface.kind is not InterfaceKind.ETHERNET:
            continue
        try:
            card = select(interface, cards)
        except NoCard as error:
            wrong.append(f"{interface.name}: {error}")
            continue
        other = next((name for name, its in found.items() if its == card), None)
        if other:
            wrong.append(f"{interface.name}: {card.name} is {other} already")
        else:
            found[interface.name] = card
    taken = {card.name for card in cards} - {card.name for card in found.values()}
    wrong += [f"{name}: another network card is called {name}" for name in found if name in taken]
    return found, wrong


def _fits(match: Match, card: Card) -> bool:
    return (
        (not match.name or any(fnmatchcase(name, match.name) for name in card.names))
        and (not match.macaddress or match.macaddress == card.mac)
        and (match.speed is None or match.speed == card.speed)
    )


def _words(match: Match) -> Iterator[str]:
    if match.name:
        yield f"the name {match.name}"
    if match.macaddress:
        yield f"the MAC address {match.macaddress}"
    if match.speed:
        yield f"{match.speed} Mbit/s"


def _listed(cards: Iterable[Card]) -> str:
    return ", ".join(
        f"{card.name} ({card.mac}, {f'{card.speed} Mbit/s' if card.speed else 'speed unknown'})"
        for card in cards
    )
