"""A local server that speaks the API and places no calls (extra ``sandbox``)."""

from dispatcher.errors import UsageProblem

try:
    from dispatcher.sandbox.server import SandboxServer, serve
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
        raise
    raise UsageProblem(
        "the sandbox is not installed: pip install 'contactship-dispatcher[sandbox]'"
    ) from missing

from dispatcher.sandbox.faults import NO_FAULT, ChanceFault, Fault, FaultKind, Faults
from dispatcher.sandbox.faults_file import load_faults
from dispatcher.sandbox.options import (
    SANDBOX_AGENT_ID,
    SANDBOX_KEY,
    SANDBOX_NUMBER_ID,
    Generation,
    SandboxOptions,
)
from dispatcher.sandbox.people import contact_of
from dispatcher.sandbox.record import CallOrder, PlacedCall

__all__ = [
    "NO_FAULT",
    "SANDBOX_AGENT_ID",
    "SANDBOX_KEY",
    "SANDBOX_NUMBER_ID",
    "CallOrder",
    "ChanceFault",
    "Fault",
    "FaultKind",
    "Faults",
    "Generation",
    "PlacedCall",
    "SandboxOptions",
    "SandboxServer",
    "contact_of",
    "load_faults",
    "serve",
]
