"""JUnit documents, held to the schema that Ant, Maven and Jenkins share."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml

SUITE = {
    "name": ".+",
    "package": ".+",
    "id": r"\d+",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "hostname": ".+",
    "time": r"\d+\.\d+",
    **dict.fromkeys(("tests", "failures", "errors", "skipped"), r"\d+"),
}
CHILDREN = r"properties( testcase)* system-out system-err"
CASE = {"name": ".+", "classname": ".+", "time": r"\d+\.\d+"}
OUTCOMES = {"failure": {"message", "type"}, "error": {"message", "type"}, "skipped": {"message"}}


def hold(element: xml.Element, wanted: dict[str, str]) -> None:
    """Each attribute that there must be, and no other."""
    assert set(element.attrib) == set(wanted)
    for name, pattern in wanted.items():
        assert re.fullmatch(pattern, element.attrib[name], re.DOTALL), (name, element.attrib)


def clouds_of(root: xml.Element) -> set[str | None]:
    """The clouds that the suites of a document name; None: a suite names none."""
    return {
        None if found is None else found.get("value")
        for found in (suite.find("properties/property[@name='cloud']") for suite in root)
    }


def validate(text: str) -> xml.Element:
    """The document's root, once it is what Ant's, Maven's and Jenkins' readers take."""
    root = xml.fromstring(text.encode())
    assert root.tag == "testsuites"
    assert {child.tag for child in root} == {"testsuite"}
    assert [suite.get("id") for suite in root] == [str(n) for n in range(len(root))]
    for suite in root:
        hold(suite, SUITE)
        assert re.fullmatch(CHILDREN, " ".join(child.tag for child in suite))
        for found in suite.iter("property"):
            hold(found, {"name": ".+", "value": ".+"})
        for case in suite.iter("testcase"):
            hold(case, CASE)
            assert len(case) <= 1
            for outcome in case:
                assert set(outcome.attrib) == OUTCOMES[outcome.tag]
        for tag, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.attrib[total]) == len([*suite.iter(tag)])
        assert int(suite.attrib["tests"]) == len([*suite.iter("testcase")])
    for total in ("tests", "failures", "errors"):
        assert int(root.attrib[total]) == sum(int(suite.attrib[total]) for suite in root)
    return root
