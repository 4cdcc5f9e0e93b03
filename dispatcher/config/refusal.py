"""Says in one line what is wrong with a setting, and where it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dispatcher.config.settings import Settings
from dispatcher.config.yaml_file import ConfigFile, KeyPath
from dispatcher.errors import UsageProblem

_SEE = "every key is explained in config.example.yaml"
_KEY_PLACE = "the API key is never configured: it comes from the variable CONTACTSHIP_API_KEY"


def refusal(
    error: ValidationError, *, file: ConfigFile | None, named: Mapping[KeyPath, str]
) -> UsageProblem:
    """
    Return the problem to raise.

    Args:
        error: What pydantic found.
        file: The configuration file, or None.
        named: Where keys that are not from the file were given, e.g. ``--rate``.
    """
    found = sorted(
        ((_path(detail, file), detail) for detail in error.errors()),
        key=lambda pair: _line(pair[0], file),
    )
    path, detail = found[0]
    is_api_key = path[-1] != "key" and "key" in path[-1].casefold()
    hint = _KEY_PLACE if is_api_key or path == ("api", "key") else _SEE if file else ""
    more = f" ({len(found) - 1} more to mend)" if len(found) > 1 else ""
    return UsageProblem(f"{_where(path, file, named)} {_problem(detail, path)}{more}", hint=hint)


def _path(detail: ErrorDetails, file: ConfigFile | None) -> KeyPath:
    """Return the keys as they stand in the file; pairs and lists are numbered only by pydantic."""
    path: list[str] = []
    here: object = file.values if file else {}
    for part in detail["loc"]:
        if isinstance(part, int) and not (isinstance(here, dict) and part < len(here)):
            continue
        name = list(here)[part] if isinstance(part, int) and isinstance(here, dict) else part
        path.append(str(name))
        here = here.get(name) if isinstance(here, dict) else None
    return tuple(path)


def _line(path: KeyPath, file: ConfigFile | None) -> int:
    """Return the line of the key, or of the nearest key around it; 0 for none."""
    if file is None:
        return 0
    return next((file.lines[p] for p in _outwards(path) if p in file.lines), 0)


def _outwards(path: KeyPath) -> Iterator[KeyPath]:
    return (path[:length] for length in range(len(path), 0, -1))


def _where(path: KeyPath, file: ConfigFile | None, named: Mapping[KeyPath, str]) -> str:
    given = next((named[p] for p in _outwards(path) if p in named), "")
    if given:
        return given
    key = f"`{'.'.join(path)}`"
    return key if file is None else f"{file.path}, line {_line(path, file)}: {key}"


def _problem(detail: ErrorDetails, path: KeyPath) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"is no known key{_meant(path)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_type":
        return _not_text(detail["input"])
    return _KINDS.get(kind, "is not right: {said}").format(
        said=detail["msg"], **{name: value for name, value in context.items() if name != "said"}
    )


_KINDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "model_type": "must hold keys of its own",
    "model_attributes_type": "must hold keys of its own",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:.10g}",
    "greater_than_equal": "must be {ge:.10g} or more",
    "less_than_equal": "must be {le:.10g} or less",
}


def _not_text(given: object) -> str:
    match given:
        case bool():
            return "must be text, and YAML takes this for yes or no; put it in quotes"
        case int() | float():
            return "must be text, and YAML takes this for a number; put it in quotes"
        case _:
            return "must be text"


def _meant(path: KeyPath) -> str:
    close = get_close_matches(path[-1], _known_keys(path[:-1]), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _known_keys(section: KeyPath) -> list[str]:
    here: BaseModel = Settings()
    for name in section:
        here = getattr(here, name)
    return list(type(here).model_fields)
