"""matplotlib's SVG made fit for a page: ids of its own, colours by the page's style sheet, no styles inside.

A page whose Content-Security-Policy allows no style attributes can hold it, and it follows light and dark.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

# Colours that stand for others: matplotlib wants one, the page decides.
INK = "#010203"
_SERIES = re.compile("#0a0b([0-9a-f]{2})")
_FOR_THE_PAGE = ("font", "font-family", "font-size", "font-weight", "font-style")
_DROPPED = ("metadata", "style")


def series_colour(number: int) -> str:
    """A line in it has the class ``series-NUMBER`` on the page."""
    return f"#0a0b{number:02x}"


def inline_svg(document: str, name: str, label: str) -> str:
    """The markup of a figure; every id begins with ``name``. label: for those who cannot see it."""
    root = ElementTree.fromstring(document)
    for element in root.iter():
        _without_namespaces(element)
        for child in [child for child in element if _local(child.tag) in _DROPPED]:
            element.remove(child)
        _own_ids(element, name)
        _style_to_attributes(element)
    attributes = {"viewBox": root.attrib["viewBox"], "class": "plot", "role": "img", "aria-label": label}
    root.attrib.clear()
    root.attrib.update(attributes)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _without_namespaces(element: ElementTree.Element) -> None:
    """HTML knows <svg> without them, and ``href`` without xlink."""
    element.tag = _local(element.tag)
    for name in [name for name in element.attrib if "}" in name]:
        element.attrib[_local(name)] = element.attrib.pop(name)


def _own_ids(element: ElementTree.Element, name: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            element.attrib[key] = f"{name}-{value}"
        elif key == "href":
            element.attrib[key] = value.replace("#", f"#{name}-", 1)
        else:
            element.attrib[key] = value.replace("url(#", f"url(#{name}-")


def _style_to_attributes(element: ElementTree.Element) -> None:
    for declaration in filter(None, map(str.strip, element.attrib.pop("style", "").split(";"))):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        series = _SERIES.fullmatch(value)
        if key in _FOR_THE_PAGE:
            continue
        if series:
            element.set("class", f"series-{int(series[1], 16)}")
            element.set(key, "currentColor")  # which the class sets
        else:
            element.set(key, "currentColor" if value == INK else value)
