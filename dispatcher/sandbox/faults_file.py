"""Reading a faults file (YAML or JSON), strictly."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from dispatcher.errors import UsageProblem
from dispatcher.sandbox.faults import ChanceFault, Fault, FaultKind, Faults

_NOT_PLACED = frozenset({FaultKind.CLOSED_BEFORE, FaultKind.SILENT_BEFORE})
_SUCCESS = range(200, 300)
_CERTAIN = 1 + 1e-9  # probabilities may add up to a hair more than 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _FaultEntry(_Strict):
    fault: Annotated[FaultKind | None, Field(strict=False)] = None
    status: Annotated[int | None, Field(ge=200, le=599)] = None
    retry_after: str | int | float | None = None
    body: JsonValue = None
    html: str | None = None
    headers: dict[str, str] = {}
    placed: bool | None = None
    latency_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    keep_share: Annotated[float | None, Field(ge=0, lt=1)] = None
    times: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.fault in (FaultKind.STATUS, FaultKind.NONE):
            raise ValueError("write status: NUMBER, or latency_seconds alone, and leave out fault")
        if self.fault is not None and self.status is not None:
            raise ValueError("give fault or status, not both")
        if self.fault is None and self.status is None and not self.latency_seconds:
            raise ValueError("give one of fault, status, latency_seconds")
        if self.status is None and self._set(("retry_after", "body", "html", "headers", "placed")):
            raise ValueError("retry_after, body, html, headers and placed need a status")
        if self._set(("body",)) and self._set(("html",)):
            raise ValueError("give body or html, not both")
        if self.keep_share is not None and self.fault is not FaultKind.CUT:
            raise ValueError("keep_share needs fault: cut")
        return self

    def _set(self, names: Sequence[str]) -> bool:
        return not self.model_fields_set.isdisjoint(names)

    def value(self) -> Fault:
        kind = self.fault or (FaultKind.NONE if self.status is None else FaultKind.STATUS)
        return Fault(
            kind=kind,
            placed=self._places(kind),
            latency_seconds=self.latency_seconds,
            status=self.status or 0,
            retry_after="" if self.retry_after is None else str(self.retry_after),
            body=self._body_bytes(),
            content_type="application/json" if self.html is None else "text/html; charset=utf-8",
            headers=tuple(self.headers.items()),
            keep_share=0.5 if self.keep_share is None else self.keep_share,
            times=self.times or 0,
        )

    def _places(self, kind: FaultKind) -> bool:
        if kind is FaultKind.STATUS:
            return self.status in _SUCCESS if self.placed is None else self.placed
        return kind not in _NOT_PLACED

    def _body_bytes(self) -> bytes | None:
        if self.html is not None:
            return self.html.encode()
        return json.dumps(self.body, ensure_ascii=False).encode() if self._set(("body",)) else None


class _ChanceEntry(_FaultEntry):
    probability: Annotated[float, Field(gt=0, le=1)]


class _Unknown(_Strict):
    contacts: list[str] = []
    agents: list[str] = []
    numbers: list[str] = []


def _listed(entry: object) -> object:
    return entry if isinstance(entry, list) else [entry]


class _FaultsFile(_Strict):
    seed: int = 0
    unknown: _Unknown = _Unknown()
    contacts: dict[str, Annotated[list[_FaultEntry], BeforeValidator(_listed)]] = {}
    by_chance: list[_ChanceEntry] = []

    @model_validator(mode="after")
    def _fits_into_one(self) -> Self:
        if sum(entry.probability for entry in self.by_chance) > _CERTAIN:
            raise ValueError("the probabilities under by_chance add up to more than 1")
        return self

    def value(self) -> Faults:
        contacts = {name: tuple(e.value() for e in each) for name, each in self.contacts.items()}
        return Faults(
            seed=self.seed,
            contacts=MappingProxyType(contacts),
            by_chance=tuple(
                ChanceFault(probability=entry.probability, fault=entry.value())
                for entry in self.by_chance
            ),
            unknown_contacts=frozenset(self.unknown.contacts),
            unknown_agents=frozenset(self.unknown.agents),
            unknown_numbers=frozenset(self.unknown.numbers),
        )


def load_faults(path: str | Path) -> Faults:
    """
    Read *path*, JSON if it ends in ``.json``, YAML else.

    Raises:
        UsageProblem: Missing, unreadable, or with a key or value that makes no sense; the message
            names the file and the key.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageProblem(f"{path}: the faults file cannot be read: {reason}") from error
    entries = _parsed(path, text)
    try:
        return _FaultsFile.model_validate({} if entries is None else entries).value()
    except ValidationError as error:
        raise UsageProblem(f"{path}: {_first_complaint(error)}") from error


def _parsed(path: Path, text: str) -> object:
    try:
        if path.suffix.lower() == ".json":
            parsed: object = json.loads(text, object_pairs_hook=_without_repeats)
            return parsed
        return yaml.load(text, Loader=_UniqueKeysLoader)  # noqa: S506 - a SafeLoader
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageProblem(f"{path}: the faults file is not valid: {reason}") from error


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} stands twice in one place")
    return entries


class _UniqueKeysLoader(yaml.SafeLoader):
    """YAML's safe loader, which by itself would let the last of two equal keys win."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ValueError(f"the key {key.value!r} stands twice in one place (line {line})")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _first_complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {where!r}; see the commented example in sample_data/faults.yaml"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason
