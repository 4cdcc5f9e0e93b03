"""The settings of a campaign: every key of the configuration with its bounds and default."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from string import Formatter
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from dispatcher.config.place import DEFAULT_BASE_URL, checked_base_url
from dispatcher.errors import UsageProblem
from dispatcher.pacer import parse_rate
from dispatcher.planning.schedule import zone_named

Layer = Mapping[str, object]

FIELDS = ("contact_id", "agent_id", "from_number_id", "delay", "schedule", "timezone")
METADATA_PREFIX = "metadata."

_YEAR_HOURS = 8760
_DAY_SECONDS = 86_400


def _checked_rate(text: str) -> str:
    try:
        parse_rate(text)
    except UsageProblem as problem:
        raise ValueError(
            "is no rate that calls can be placed at; write 100/minute, 5/second or unlimited"
        ) from problem
    return text


def _checked_timezone(name: str) -> str:
    if name and zone_named(name) is None:
        raise ValueError("is not a time zone name; write one like America/Argentina/Buenos_Aires")
    return name


def _checked_format(text: str) -> str:
    wanted = "must be one number format in braces, like {:,.2f}"
    try:
        places = [place for place in Formatter().parse(text) if place[1] is not None]
        text.format(Decimal("1234.5"))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(wanted) from error
    if [place[1] for place in places] not in ([""], ["0"]) or "{" in (places[0][2] or ""):
        raise ValueError(wanted)
    return text


def _checked_field(field: str) -> str:
    if field in FIELDS or (field.startswith(METADATA_PREFIX) and field != METADATA_PREFIX):
        return field
    raise ValueError(f"names no field `{field}`: there are {', '.join(FIELDS)} and metadata.NAME")


def _without_empty(values: object) -> object:
    """A key without a value means its default."""
    if isinstance(values, dict):
        return {key: value for key, value in values.items() if value is not None}
    return values


def _pairs_of(mapping: object) -> object:
    """Turn a mapping into pairs, which stay frozen."""
    if not isinstance(mapping, dict | tuple):
        raise ValueError("must hold `name: value` lines of its own")  # noqa: TRY004 - pydantic's way
    return tuple(mapping.items()) if isinstance(mapping, dict) else mapping


def _tuple_of(texts: object) -> object:
    return tuple(texts) if isinstance(texts, list) else texts


def _all_as_none(include: object) -> object:
    if isinstance(include, str) and include != "all":
        raise ValueError("must be `all` or a list of headers")
    return None if include == "all" else _tuple_of(include)


def _auto_as_0(workers: object) -> object:
    if workers == "auto":
        return 0
    if workers == 0 and workers is not False:
        raise ValueError("must be 1 or more, or auto")
    return workers


def _0_as_auto(workers: int) -> int | str:
    return workers or "auto"


Text = Annotated[str, AfterValidator(str.strip)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_tuple_of)]
Seconds = Annotated[float, Field(gt=0, le=_DAY_SECONDS)]


class Section(BaseModel):
    """A part of the configuration; a key without a value means its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: object) -> object:
        return _without_empty(values)


class ApiSettings(Section):
    """How the API is spoken to; times in seconds."""

    base_url: Annotated[str, AfterValidator(checked_base_url)] = DEFAULT_BASE_URL
    connect_timeout_seconds: Seconds = 10.0
    answer_timeout_seconds: Seconds = 60.0
    delay: Literal["schedule", "send"] = "schedule"


class DefaultSettings(Section):
    """Used where the row has no such column; "" for none."""

    agent_id: Text = ""
    from_number_id: Text = ""
    timezone: Annotated[Text, AfterValidator(_checked_timezone)] = ""


class AdditionalDataSettings(Section):
    """Which columns are sent as additional data, and how; ``include`` None means all."""

    include: Annotated[tuple[str, ...] | None, BeforeValidator(_all_as_none)] = None
    exclude: Texts = ()
    required: Texts = ()
    empty: Literal["omit", "send"] = "omit"
    format: Annotated[
        tuple[tuple[str, Annotated[str, AfterValidator(_checked_format)]], ...],
        BeforeValidator(_pairs_of),
    ] = ()


class PaceSettings(Section):
    """How fast calls are placed, and by how many workers; 0 workers is ``auto``."""

    rate: Annotated[Text, AfterValidator(_checked_rate)] = "100/minute"
    workers: Annotated[
        int, Field(ge=0, le=1000), BeforeValidator(_auto_as_0), PlainSerializer(_0_as_auto)
    ] = 8
    strict: bool = False


class RetrySettings(Section):
    """How long a run puts up with waiting."""

    max_wait_seconds: Annotated[float, Field(ge=0, le=_DAY_SECONDS)] = 900.0
    give_up_minutes: Annotated[float, Field(ge=0, le=_YEAR_HOURS * 60)] = 60.0


class StopSettings(Section):
    """When a run stops; 0 is off."""

    uncertain: Annotated[int, Field(ge=0, le=1_000_000)] = 20


class LimitSettings(Section):
    """How much may be sent; a row with more is a problem."""

    value_characters: Annotated[int, Field(ge=1, le=32_767)] = 10_000
    request_bytes: Annotated[int, Field(ge=1_000, le=16_000_000)] = 262_144


class BreakerSettings(Section):
    """When a run pauses: *failures* of the last *of_last* attempts; 0 failures is off."""

    failures: Annotated[int, Field(ge=0)] = 5
    of_last: Annotated[int, Field(ge=1, le=10_000)] = 20
    pause_seconds: Seconds = 30.0

    @model_validator(mode="after")
    def _can_trip(self) -> BreakerSettings:
        if self.failures > self.of_last:
            raise ValueError(
                f"never trips: failures ({self.failures}) is more than of_last ({self.of_last}); "
                "failures: 0 turns it off"
            )
        return self


class Settings(Section):
    """
    Every key of the configuration.

    ``Settings()`` is the defaults alone. Nothing is read from the process's environment behind
    the caller's back: the layers are given, see ``load_settings``.
    """

    api: ApiSettings = ApiSettings()
    defaults: DefaultSettings = DefaultSettings()
    columns: Annotated[
        tuple[tuple[Annotated[str, AfterValidator(_checked_field)], str], ...],
        BeforeValidator(_pairs_of),
    ] = ()
    additional_data: AdditionalDataSettings = AdditionalDataSettings()
    key: Texts = ()
    repeat_after_hours: Annotated[float, Field(ge=0, le=10 * _YEAR_HOURS)] = 20.0
    pace: PaceSettings = PaceSettings()
    retry: RetrySettings = RetrySettings()
    stop: StopSettings = StopSettings()
    breaker: BreakerSettings = BreakerSettings()
    limits: LimitSettings = LimitSettings()
    ledger: Text = ""

    @classmethod
    def from_layers(cls, *layers: Layer) -> Settings:
        """
        Merge layers, the first one strongest, key by key.

        Raises:
            pydantic.ValidationError: a value that is none.
        """
        return cls.model_validate(reduce(_over, layers, _NOTHING_SAID))


_NOTHING_SAID: Layer = {}


def _over(strong: Layer, weak: Layer) -> Layer:
    """Lay *strong* over *weak*; where both hold a section of one name, key by key."""
    merged = {**weak, **strong}
    for key in strong.keys() & weak.keys():
        ours, theirs = strong[key], weak[key]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            merged[key] = _over(ours, theirs)
    return merged
