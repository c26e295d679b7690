"""The bill of materials of what runs the package: CycloneDX 1.6, as JSON on standard output.

`make sbom` calls it. Names, versions and hashes are those of `run.txt`, licences those that the
installed distributions declare. The same lock gives the same bytes: the serial number is made from
the content, and a time is told only where SOURCE_DATE_EPOCH is set.
"""
# ruff: noqa: INP001 - a program, no module of a package

import hashlib
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("run.txt")
PACKAGE = "portfolio-ml"

_FIRST = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; (.+?))?(?: \\)?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FOR = re.compile(r"^    # +(?:via +)?([A-Za-z0-9._-]+)")


@dataclass
class Locked:
    """A distribution of the lock.

    Attributes:
        name: Its name.
        version: Its only version.
        marker: Where it is installed at all; empty for everywhere.
        hashes: The SHA-256 of each of its files that may be installed.
        needed_by: Who asks for it.
    """

    name: str
    version: str
    marker: str = ""
    hashes: list[str] = field(default_factory=list)
    needed_by: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its package URL, which is no address."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(text: str) -> Iterator[Locked]:
    """The distributions of a lock as uv writes it."""
    found: Locked | None = None
    for line in text.splitlines():
        if first := _FIRST.match(line):
            if found:
                yield found
            found = Locked(first[1].lower(), first[2], first[3] or "")
        elif found and (digest := _HASH.search(line)):
            found.hashes.append(digest[1])
        elif found and (who := _FOR.match(line)):
            found.needed_by.append(who[1].lower())
    if found:
        yield found


def licences(name: str, version: str) -> list[dict[str, Any]]:
    """What a distribution declares; nothing of one that is not installed here in that version."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if told["Version"] != version:
        return []
    if expression := told.get("License-Expression"):
        return [{"expression": expression}]
    classes = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier", []) if "License ::" in c]
    short = (told.get("License") or "").strip()
    if short and "\n" not in short and len(short) <= 60:
        classes = [short]
    return [{"license": {"name": each}} for each in sorted({*classes} - {"OSI Approved"})]


def bill(text: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials of a lock."""
    parts = sorted(locked(text), key=lambda part: (part.name, part.version))
    needs: dict[str, set[str]] = {part.name: set() for part in parts} | {PACKAGE: set()}
    for part in parts:
        for who in part.needed_by:
            needs.get(who, set()).add(part.url)
    own = f"pkg:pypi/{PACKAGE}@{metadata.version(PACKAGE)}"
    told: dict[str, Any] = {
        "component": {
            "type": "application",
            "bom-ref": own,
            "name": PACKAGE,
            "version": metadata.version(PACKAGE),
            "purl": own,
            "licenses": licences(PACKAGE, metadata.version(PACKAGE)),
        }
    }
    if epoch := environment.get("SOURCE_DATE_EPOCH"):
        told["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    content = {
        "metadata": told,
        "components": [_component(part) for part in parts],
        "dependencies": [
            {"ref": own, "dependsOn": sorted(needs[PACKAGE])},
            *({"ref": p.url, "dependsOn": sorted(needs[p.name])} for p in parts),
        ],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32], version=4)}",
        "version": 1,
        **content,
    }


def _component(part: Locked) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.url,
        "name": part.name,
        "version": part.version,
        "purl": part.url,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(part.hashes)],
    }
    if declared := licences(part.name, part.version):
        found["licenses"] = declared
    if part.marker:
        found["properties"] = [{"name": "pypi:marker", "value": part.marker}]
    return found


if __name__ == "__main__":
    json.dump(bill(LOCK.read_text("utf-8"), os.environ), sys.stdout, indent=1)
    sys.stdout.write("\n")
