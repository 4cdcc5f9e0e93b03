"""What a sandbox is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.sandbox.faults import Faults

SANDBOX_KEY = "sandbox-key"
SANDBOX_AGENT_ID = "sandbox-agent-1"
SANDBOX_NUMBER_ID = "sandbox-number-1"


class Generation(StrEnum):
    """Which of the two generations of the API's documentation the answers follow."""

    A = "a"  # answers are bare
    B = "b"  # answers are wrapped in statusCode and data; creating answers 201


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """
    How the sandbox behaves.

    Attributes:
        generation: Shape of the answers.
        faults: What goes wrong on purpose, and for whom.
        rate_per_minute: Requests admitted in any 60 seconds; 0 lifts every limit.
        list_rate_per_minute: Requests admitted in any 60 seconds to each of the two lists that
            the API limits further (calls and contacts), on top of the general limit.
        key: The only ``x-api-key`` that is accepted.
        seed: Decides how the calls end.
        port: Loopback port; 0 takes a free one.
        contacts: Contact ids that the list of contacts shows before anyone was called. Any
            other contact is known all the same.
        id_prefix: What its call ids begin with. The dispatcher takes ids that begin with
            ``sandbox-`` for those of a rehearsal; another prefix lets it stand for the real API.
    """

    generation: Generation = Generation.B
    faults: Faults = field(default_factory=Faults)
    rate_per_minute: int = 120
    list_rate_per_minute: int = 20
    key: str = field(default=SANDBOX_KEY, repr=False)
    seed: int = 0
    port: int = 0
    contacts: tuple[str, ...] = ()
    id_prefix: str = "sandbox-"
