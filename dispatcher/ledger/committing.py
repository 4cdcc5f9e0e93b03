"""One batch of work, one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from dispatcher.ledger.marking import mark
from dispatcher.ledger.outcomes import end
from dispatcher.ledger.packing import Packer
from dispatcher.ledger.schema import campaigns
from dispatcher.ledger.storage import Storage
from dispatcher.ledger.values import RecordedOutcome
from dispatcher.model import Mark, MarkRefusal, Outcome, Withdrawal

_DICTIONARY = select(campaigns.c.dictionary).where(campaigns.c.id == bindparam("campaign_id"))

Work = Mark | Outcome | Withdrawal
Answer = int | MarkRefusal | RecordedOutcome


class Packers:
    """The packers of campaigns, each made once: a campaign's dictionary never changes."""

    def __init__(self) -> None:
        self._known: dict[int, Packer] = {}

    def of(self, connection: Connection, campaign_id: int) -> Packer:
        """Return the packer of a campaign whose sheet was recorded."""
        if campaign_id not in self._known:
            dictionary = connection.execute(_DICTIONARY, {"campaign_id": campaign_id}).scalar_one()
            self._known[campaign_id] = Packer(dictionary)
        return self._known[campaign_id]


def commit(
    storage: Storage, work: Sequence[Work], *, repeat_after_hours: float, packers: Packers
) -> list[Answer]:
    """Make a batch durable in one transaction; see ``Ledger.commit``."""
    ends = [item for item in work if not isinstance(item, Mark)]
    marks = [item for item in work if isinstance(item, Mark)]
    with storage.writing() as connection:
        ended = iter(end(connection, ends))
        marked = iter(
            mark(
                connection,
                marks,
                repeat_after_hours=repeat_after_hours,
                packer_for=packers.of,
            )
        )
    return [next(marked) if isinstance(item, Mark) else next(ended) for item in work]
