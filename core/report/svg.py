"""Adapts matplotlib's SVG to the page: unique ids, colours from the page's style sheet, no style attributes.

It then works with a Content-Security-Policy that allows no style attributes, and in light and dark mode.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

# Placeholder colours for matplotlib; the page replaces them.
INK = "#010203"
_SERIES = re.compile("#0a0b([0-9a-f]{2})")
_FOR_THE_PAGE = ("font", "font-family", "font-size", "font-weight", "font-style")
_DROPPED = ("metadata", "style")


def series_colour(number: int) -> str:
    """The placeholder colour of a line that gets the class ``series-NUMBER`` on the page."""
    return f"#0a0b{number:02x}"


def inline_svg(document: str, name: str, label: str) -> str:
    """The markup of a figure. name: prefix of all its ids.  label: the text for screen readers."""
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
    """Remove XML namespaces, which HTML does not need for <svg> and ``href``."""
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
            element.set(key, "currentColor")  # the class sets this colour
        else:
            element.set(key, "currentColor" if value == INK else value)
