"""HubSpot's own OpenAPI documents, where they are at hand, as judges of requests and answers."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

REQUESTS = {
    "update": "BatchInputSimplePublicObjectBatchInput",
    "upsert": "BatchInputSimplePublicObjectBatchInputUpsert",
    "read": "BatchReadInputSimplePublicObjectId",
}
RESPONSES = {
    "update": "BatchResponseSimplePublicObject",
    "upsert": "BatchResponseSimplePublicUpsertObject",
    "read": "BatchResponseSimplePublicObject",
}


def folder() -> Path | None:
    """Where the documents are; None where they are not at hand."""
    data = os.environ.get("PORTFOLIO_ML_DATA")
    found = Path(data).resolve().parent / "vendor" / "hubspot" if data else None
    return found if found and found.is_dir() else None


@cache
def _document(object_name: str) -> dict[str, Any] | None:
    where = folder()
    file = where / f"{object_name}-2026-09.json" if where else None
    if file is None or not file.exists():
        return None
    return _nullable(json.loads(file.read_text(encoding="utf-8")))


def _nullable(node: Any) -> Any:
    """The document with its `nullable: true`, which JSON Schema does not know, as a type."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: _nullable(value) for name, value in node.items()}
    if found.pop("nullable", False) is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


@cache
def _judge(object_name: str, schema: str) -> jsonschema.Draft202012Validator | None:
    document = _document(object_name)
    if document is None:
        return None
    root = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    return jsonschema.Draft202012Validator(root)


def faults(object_name: str, schema: str, found: Any) -> list[str]:
    """What in the JSON breaks the schema; nothing where the documents are not at hand."""
    judge = _judge(object_name, schema)
    return [error.message for error in judge.iter_errors(found)] if judge else []
