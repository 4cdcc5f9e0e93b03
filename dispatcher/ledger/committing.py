"""One batch of work, one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.ledger.bodies import Codecs
from dispatcher.ledger.marking import mark
from dispatcher.ledger.outcomes import end
from dispatcher.ledger.storage import Storage
from dispatcher.ledger.values import RecordedOutcome
from dispatcher.model import Mark, MarkRefusal, Outcome, Withdrawal

Work = Mark | Outcome | Withdrawal
Answer = int | MarkRefusal | RecordedOutcome


def commit(
    storage: Storage, work: Sequence[Work], *, repeat_after_hours: float, codecs: Codecs
) -> list[Answer]:
    """Make a batch durable in one transaction; see ``Ledger.commit``."""
    ends = [item for item in work if not isinstance(item, Mark)]
    marks = [item for item in work if isinstance(item, Mark)]
    with storage.writing() as connection:
        ended = iter(end(connection, ends, codec_for=codecs.of))
        marked = iter(
            mark(
                connection,
                marks,
                repeat_after_hours=repeat_after_hours,
                codec_for=codecs.of,
            )
        )
    return [next(marked) if isinstance(item, Mark) else next(ended) for item in work]
