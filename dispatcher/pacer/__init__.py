"""When the next attempt may start: arithmetic on the monotonic clock, in seconds."""

from dispatcher.pacer.crew import CallTime, workers_needed
from dispatcher.pacer.rate import Rate, parse_rate
from dispatcher.pacer.slots import Gate, Lease, Permits, lease, strict_cost
from dispatcher.pacer.tempo import Allowance, Tempo

__all__ = [
    "Allowance",
    "CallTime",
    "Gate",
    "Lease",
    "Permits",
    "Rate",
    "Tempo",
    "lease",
    "parse_rate",
    "strict_cost",
    "workers_needed",
]
