"""What a reply means, how long to wait, and when to stop: decisions as values, nothing done."""

from dispatcher.policy.answer import Answer, read_answer
from dispatcher.policy.conduct import Conduct, stop_message
from dispatcher.policy.steps import ConductRules, Go, Look, Step, Stop, Wait
from dispatcher.policy.verdict import STOPPING_CODES, judge
from dispatcher.policy.waits import backoff_seconds, retry_after_seconds, used_up_seconds
from dispatcher.policy.wording import one_line, plain

__all__ = [
    "STOPPING_CODES",
    "Answer",
    "Conduct",
    "ConductRules",
    "Go",
    "Look",
    "Step",
    "Stop",
    "Wait",
    "backoff_seconds",
    "judge",
    "one_line",
    "plain",
    "read_answer",
    "retry_after_seconds",
    "stop_message",
    "used_up_seconds",
]
