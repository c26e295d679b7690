"""The settings as they may be shown: every value, but no secret."""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from portfolio_ml.config.section import ADDRESS
from portfolio_ml.config.settings import Settings

HIDDEN = "***"

_VARIABLE = re.compile(r"\$\{\w+\}")
_CREDENTIALS = re.compile(r"(?<=:/)(/?)[^\s]*@")
_OPTIONS = re.compile(r"[?;].*", re.DOTALL)


def public_yaml(settings: Settings) -> str:
    """The settings as YAML, with the defaults filled in and without secrets.

    What the file takes from the environment stays `${NAME}`; a URL keeps its kind, host and path,
    and loses its user, password and options; other values that are not shown are `***`.
    """
    values = _shown(settings, settings.written)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _shown(section: BaseModel, written: object) -> dict[str, Any]:
    """The fields of a section, `written` as the file has them."""
    plain = section.model_dump(mode="json")
    return {
        name: _value(
            getattr(section, name),
            plain[name],
            written.get(name) if isinstance(written, Mapping) else None,
            is_secret=not field.repr and ADDRESS not in field.metadata,
        )
        for name, field in type(section).model_fields.items()
    }


def _value(value: object, plain: object, written: object, *, is_secret: bool = False) -> object:
    """One value as it may be shown; `plain` as JSON has it, `written` as the file does."""
    if isinstance(value, BaseModel):
        return _shown(value, written)
    if isinstance(value, tuple) and isinstance(plain, list):
        theirs = list(written) if isinstance(written, list) else []
        theirs += [None] * (len(value) - len(theirs))
        return [_value(v, p, w) for v, p, w in zip(value, plain, theirs, strict=True)]
    if isinstance(value, Mapping) and isinstance(plain, Mapping):
        by_name = written if isinstance(written, Mapping) else {}
        return {
            k: _value(value[k], HIDDEN if is_secret else plain[k], by_name.get(k)) for k in plain
        }
    if isinstance(written, str) and _VARIABLE.search(written):
        return _without_credentials(written)
    if is_secret and plain is not None:
        return HIDDEN
    return _without_credentials(plain) if isinstance(plain, str) else plain


def _without_credentials(url: str) -> str:
    """A URL that keeps what is no secret.

    Example:
        >>> _without_credentials("postgresql://ann:pw@db.example/crm?sslpassword=other")
        'postgresql://***@db.example/crm'
        >>> _without_credentials("sqlite:///mlflow.db")
        'sqlite:///mlflow.db'
    """
    return _OPTIONS.sub("", _CREDENTIALS.sub(rf"\1{HIDDEN}@", url)) if ":/" in url else url
