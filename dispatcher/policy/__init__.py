"""What a reply means, how long to wait, and when to stop: decisions as values, nothing done."""

from dispatcher.policy.answer import Answer, read_answer
from dispatcher.policy.conduct import Conduct, stop_message
from dispatcher.policy.listing import (
    CallPage,
    ListedCall,
    read_call,
    read_calls,
    read_contact,
)
from dispatcher.policy.steps import ConductRules, Go, Look, Step, Stop, Wait
from dispatcher.policy.tracing import (
    Sought,
    Trace,
    TraceKind,
    TraceRules,
    days_to_look_at,
    trace,
)
from dispatcher.policy.verdict import STOPPING_CODES, judge
from dispatcher.policy.waits import (
    backoff_seconds,
    left_of_limit,
    retry_after_seconds,
    used_up_seconds,
)
from dispatcher.policy.wording import one_line, plain

__all__ = [
    "STOPPING_CODES",
    "Answer",
    "CallPage",
    "Conduct",
    "ConductRules",
    "Go",
    "ListedCall",
    "Look",
    "Sought",
    "Step",
    "Stop",
    "Trace",
    "TraceKind",
    "TraceRules",
    "Wait",
    "backoff_seconds",
    "days_to_look_at",
    "judge",
    "left_of_limit",
    "one_line",
    "plain",
    "read_answer",
    "read_call",
    "read_calls",
    "read_contact",
    "retry_after_seconds",
    "stop_message",
    "trace",
    "used_up_seconds",
]
