"""A call request as the JSON text the API takes."""

from __future__ import annotations

from json.encoder import encode_basestring as quoted

from dispatcher.model.call import CallRequest

OUR_METADATA = ("dispatch_campaign", "dispatch_key", "dispatch_row")
"""Names under which a body says which call of ours it is; no column may take them."""


def body_text(request: CallRequest, *, campaign: str, delay: str = "") -> str:
    """
    Return the body of a request, compact.

    Put together by hand, in a third of the time of ``json.dumps``. The ledger keeps no body that
    this writes again from a recorded row, so what it returns must never change.

    Args:
        request: What to ask for; none of its metadata has one of our names.
        campaign: Normalised name.
        delay: Delay in minutes as JSON spells it, instead of a schedule; or "".
    """
    pairs = ",".join(
        [
            f'{{"key":{quoted(name)},"value":{quoted(value)}}}'
            for name, value in request.additional_data
        ]
    )
    additional = f'"additional_data":[{pairs}],' if pairs else ""
    named = "".join([f"{quoted(name)}:{quoted(value)}," for name, value in request.metadata])
    when = f'"delay":{delay},' if delay else _schedule(request)
    return (
        f'{{"contact_id":{quoted(request.contact_id)},"agent_id":{quoted(request.agent_id)},'
        f'"from_number_id":{quoted(request.from_number_id)},{additional}{when}'
        f'"metadata":{{{named}"dispatch_campaign":{quoted(campaign)},'
        f'"dispatch_key":{quoted(request.key)},"dispatch_row":"{request.row}"}}}}'
    )


def _schedule(request: CallRequest) -> str:
    when = request.schedule
    if when is None:
        return ""
    return (
        f'"schedule":{{"scheduled_call_time":{quoted(when.local)},'
        f'"timezone":{quoted(when.timezone)}}},'
    )
