"""Reads a configuration file so strictly that nothing in it can be misunderstood or overlooked."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from dispatcher.errors import UsageProblem

KeyPath = tuple[str, ...]

_LARGEST = 1_000_000  # bytes; ours has fifty lines
_STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """
    What a configuration file holds.

    Attributes:
        path: Where it is.
        values: Its mapping as YAML types, not yet checked against the settings.
        lines: Line, from 1, of each key by its path, e.g. ``("pace", "rate")``.
    """

    path: Path
    values: dict[str, object]
    lines: dict[KeyPath, int]


def read_config_file(path: Path) -> ConfigFile:
    """
    Read a YAML mapping in UTF-8, with or without byte order mark.

    Raises:
        UsageProblem: missing, unreadable, not UTF-8, not YAML, a key twice, a key that YAML takes
            for something else than text, anchors and aliases; names the file and the line.
    """
    text = _text_of(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = dict(_lines_of(node, path))
        values: object = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, path) from error
    except yaml.YAMLError as error:
        raise UsageProblem(f"{path} is not a text file: it holds control characters") from error
    except (RecursionError, ValueError) as error:
        raise UsageProblem(f"{path} is not a configuration: {_words(error)}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise UsageProblem(
            f"{path}, line 1: a configuration is a list of `key: value` lines",
            hint="see config.example.yaml",
        )
    return ConfigFile(path=path, values=values, lines=lines)


class _Loader(yaml.SafeLoader):
    """
    YAML without anchors and aliases, which a few lines can blow up to gigabytes.

    Dates stay the text they are.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - so does yaml itself
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise yaml.constructor.ConstructorError(
                None, None, "anchors (&) and aliases (*) are not used here", event.start_mark
            )
        return super().compose_node(parent, index)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise UsageProblem(f"The configuration {path} does not exist") from error
    except OSError as error:
        raise UsageProblem(f"The configuration {path} cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise UsageProblem(f"{path} is too large for a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageProblem(
            f"{path}, line {line}: not UTF-8", hint="save the file again as UTF-8"
        ) from error


def _lines_of(
    node: yaml.Node | None, path: Path, at: KeyPath = ()
) -> Iterator[tuple[KeyPath, int]]:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[Hashable, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = _key_text(key, f"{path}, line {line}")
        if name in seen:
            where = ".".join((*at, name))
            raise UsageProblem(
                f"{path}, line {line}: `{where}` stands in line {seen[name]} already"
            )
        seen[name] = line
        yield (*at, name), line
        yield from _lines_of(value, path, (*at, name))


def _key_text(key: yaml.Node, where: str) -> str:
    if isinstance(key, yaml.ScalarNode) and key.tag == _STRING:
        return str(key.value)
    if isinstance(key, yaml.ScalarNode):
        raise UsageProblem(f"{where}: YAML does not take `{key.value}` for text; put it in quotes")
    raise UsageProblem(f"{where}: a key must be plain text")


def _not_yaml(error: yaml.MarkedYAMLError, path: Path) -> UsageProblem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    said = ", ".join(part for part in (error.context, error.problem) if part)
    if "'\\t'" in said or "tab" in said.split():
        return UsageProblem(f"{path}, line {line}: a tab", hint="indent with spaces")
    return UsageProblem(f"{path}, line {line}: not YAML: {said}")


def _words(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
