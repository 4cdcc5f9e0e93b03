"""What a reply, or none, means for its call: the table of the README, row by row."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from dispatcher.model import Cause, Evidence, Judgement, NoReply, Reply, StopWord, Verdict
from dispatcher.policy.answer import Answer, read_answer
from dispatcher.policy.wording import one_line, plain

_STOPPING = {
    301: StopWord.NOT_THE_API,
    307: StopWord.NOT_THE_API,
    308: StopWord.NOT_THE_API,
    401: StopWord.KEY_REFUSED,
    402: StopWord.CREDIT_REFUSED,
    403: StopWord.KEY_REFUSED,
    405: StopWord.NOT_THE_API,
    407: StopWord.KEY_REFUSED,
    410: StopWord.REFUSED,
}
_THIS_ROW = {
    400: "invalid_request",
    404: "not_found",
    413: "too_large",
    422: "invalid_request",
}
_SAYS = {
    "invalid_request": "The API did not accept this row",
    "not_found": "The API does not know the contact, agent or number of this row",
    "too_large": "This row holds more than the API takes",
    "rejected": "The API refused this row",
    "refused": "The API no longer offers this way of placing calls",
    "key_refused": "The API refused the key",
    "credit_refused": "The API says that the credit is used up",
    "not_the_api": "What answered is not the API",
    "wrong_contact": "The API placed a call, but names another contact than this row",
    "rate_limited": "The API asked to wait",
    "server_error": "The API failed, and the call may have been placed",
    "timeout": "The API timed out, and the call may have been placed",
    "conflict": "The API reports a conflict, and the call may have been placed",
    "answer_without_id": "The API gave no call id, and the call may have been placed",
}
_MESSAGE_CHARS = 300
_EXCERPT_CHARS = 2000
_CREATED_AT_CHARS = 100

STOPPING_CODES = frozenset(word.value for word in _STOPPING.values())
"""Codes of rejected calls that also stop a run; a later run sends those calls again."""


def judge(
    result: Reply | NoReply,
    *,
    contact_hash_sent: str,
    contact_hash_of: Callable[[str], str],
) -> Judgement:
    """
    Say what an attempt's result means.

    Never raises, whatever bytes came.

    Args:
        result: What the client brought back.
        contact_hash_sent: Identity of the contact that was sent.
        contact_hash_of: Gives the identity of a contact id.
    """
    if isinstance(result, NoReply):
        return _judge_silence(result)
    answer = read_answer(result.body)
    verdict, code, stop = _judge_reply(result, answer)
    if verdict is Verdict.PLACED and _differs(answer, contact_hash_sent, contact_hash_of):
        code, stop = "wrong_contact", StopWord.NOT_THE_API
    return Judgement(
        verdict=verdict,
        code=code,
        message=_sentence(code, result, answer),
        http_status=result.status,
        call_id=answer.call_id if verdict is Verdict.PLACED else "",
        created_at=_created_at(answer) if verdict is Verdict.PLACED else "",
        stop=stop,
        failure=_is_failure(verdict, result),
        excerpt=_excerpt(result.body),
    )


def _judge_silence(result: NoReply) -> Judgement:
    said = one_line(result.message, limit=_MESSAGE_CHARS)
    if result.evidence is Evidence.NOTHING_LEFT:
        code = "interrupted" if result.cause is Cause.CANCELLED else "unreachable"
        return Judgement(verdict=Verdict.NOT_SENT, code=code, message=f"Not sent: {said}")
    code = {
        Cause.TIMED_OUT: "timeout",
        Cause.CANCELLED: "interrupted",
        Cause.LOST: "connection_lost",
        Cause.UNREACHABLE: "connection_lost",
    }[result.cause]
    return Judgement(
        verdict=Verdict.UNCERTAIN,
        code=code,
        message=f"No answer, and the call may have been placed: {said}",
        failure=result.cause is not Cause.CANCELLED,
    )


def _judge_reply(reply: Reply, answer: Answer) -> tuple[Verdict, str, StopWord | None]:
    status = reply.status
    match status // 100:
        case 2:
            return _judge_success(reply, answer)
        case 4:
            return _judge_refusal(reply)
        case 5:
            return Verdict.UNCERTAIN, "server_error", None
        case 3 if status in _STOPPING:
            return Verdict.REJECTED, _STOPPING[status].value, _STOPPING[status]
        case _:  # other redirects, and statuses that no server should send
            return Verdict.UNCERTAIN, "not_the_api", StopWord.NOT_THE_API


def _judge_success(reply: Reply, answer: Answer) -> tuple[Verdict, str, StopWord | None]:
    if answer.call_id:
        return Verdict.PLACED, "", None
    if _is_html(reply):
        return Verdict.UNCERTAIN, "not_the_api", StopWord.NOT_THE_API
    return Verdict.UNCERTAIN, "answer_without_id", None


def _judge_refusal(reply: Reply) -> tuple[Verdict, str, StopWord | None]:
    match reply.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Verdict.NOT_SENT, "rate_limited", None
        case HTTPStatus.REQUEST_TIMEOUT:
            return Verdict.UNCERTAIN, "timeout", None
        case HTTPStatus.CONFLICT:
            return Verdict.UNCERTAIN, "conflict", None
        case status if status in _STOPPING:
            return Verdict.REJECTED, _STOPPING[status].value, _STOPPING[status]
        case _ if _is_html(reply):
            return Verdict.REJECTED, "not_the_api", StopWord.NOT_THE_API
        case status:
            return Verdict.REJECTED, _THIS_ROW.get(status, "rejected"), None


def _differs(answer: Answer, sent: str, contact_hash_of: Callable[[str], str]) -> bool:
    return bool(answer.contact_id) and contact_hash_of(answer.contact_id) != sent


def _is_html(reply: Reply) -> bool:
    announced = reply.content_type.strip().lower()
    if announced.startswith(("text/html", "application/xhtml")):
        return True
    return reply.body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _is_failure(verdict: Verdict, reply: Reply) -> bool:
    """5xx, 408, or an answer that broke off before it said what became of the call."""
    status = reply.status
    if (
        status == HTTPStatus.REQUEST_TIMEOUT
        or status // 100 == HTTPStatus.INTERNAL_SERVER_ERROR // 100
    ):
        return True
    return verdict is Verdict.UNCERTAIN and not reply.complete


def _sentence(code: str, reply: Reply, answer: Answer) -> str:
    if not code:
        return ""
    lead = f"{_SAYS[code]} ({reply.status})"
    if _is_html(reply):
        return f"{lead}: an HTML page came back"
    said = one_line("; ".join(answer.messages), limit=_MESSAGE_CHARS)
    return f"{lead}: {said}" if said else lead


def _created_at(answer: Answer) -> str:
    return plain(answer.created_at, limit=_CREATED_AT_CHARS)


def _excerpt(body: bytes) -> str:
    # Four bytes are the longest character of UTF-8.
    return plain(body[: 4 * _EXCERPT_CHARS + 4].decode("utf-8", "replace"), limit=_EXCERPT_CHARS)
