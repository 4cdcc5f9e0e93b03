"""Which field a header means, in English, Spanish and Portuguese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from dispatcher.errors import UsageProblem


class Field(StrEnum):
    """What a column can feed, besides ``metadata.NAME`` and additional data."""

    CONTACT_ID = "contact_id"
    AGENT_ID = "agent_id"
    FROM_NUMBER_ID = "from_number_id"
    DELAY = "delay"
    SCHEDULE = "schedule"
    TIMEZONE = "timezone"


METADATA_PREFIX = "metadata."

# The columns that a results sheet adds to its input.
RESULT_NAMES = (
    "call_status",
    "call_id",
    "call_created_at",
    "call_error_code",
    "call_error",
    "call_http_status",
    "call_attempts",
    "call_sent_at",
    "call_campaign",
    "source_row",
)

# Without accents, spaces, "_" and "-". A word that could as well be something else (contact,
# numero, fecha) is missing on purpose: who means it says so with --map.
_USUAL_NAMES: dict[Field, str] = {
    Field.CONTACT_ID: """
        contactid idcontact contactuuid
        contactoid idcontacto iddecontacto iddelcontacto uuidcontacto identificadordecontacto
        contatoid idcontato iddecontato iddocontato uuidcontato identificadordocontato
    """,
    Field.AGENT_ID: """
        agentid idagent
        agenteid idagente iddeagente iddelagente iddoagente
    """,
    Field.FROM_NUMBER_ID: """
        fromnumberid idfromnumber fromphonenumberid
        numeroorigenid numerodeorigenid idnumeroorigen idnumerodeorigen iddelnumerodeorigen
        numeroorigemid numerodeorigemid idnumeroorigem idnumerodeorigem iddonumerodeorigem
    """,
    Field.DELAY: """
        delay delayminutes delaymin delayinminutes calldelay
        retraso retrasominutos retrasoenminutos minutosderetraso
        demora demoraminutos demoraenminutos demoraemminutos minutosdedemora
        atraso atrasominutos atrasoemminutos minutosdeatraso
        minutosdeespera esperaminutos esperaenminutos esperaemminutos
    """,
    Field.SCHEDULE: """
        schedule scheduleat scheduledat scheduledfor scheduletime scheduledtime scheduledcalltime
        programada programado programadapara llamadaprogramada fechaprogramada
        fechahorallamada fechayhorallamada fechahoradellamada fechayhoradellamada
        fechayhoradelallamada
        agendamento agendado agendada agendadopara agendadapara horarioagendado
        datahorachamada dataehorachamada datahoradachamada dataehoradachamada
        datahoraligacao dataehoraligacao datahoradaligacao dataehoradaligacao
    """,
    Field.TIMEZONE: """
        timezone timezonename zonahoraria husohorario fusohorario
    """,
}
_FIELD_OF_NAME = {name: field for field, names in _USUAL_NAMES.items() for name in names.split()}

# Debt sheets use these words for days overdue as well.
DOUBTFUL_DELAYS = frozenset({"retraso", "demora", "atraso"})

_SEPARATORS = re.compile(r"[\s_-]+")


def fold(header: str) -> str:
    """
    The form in which headers are compared: NFKC, case-folded, without invisible marks, white space
    trimmed and each run of it one space.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", header).casefold())
    spaced = " ".join(text.split())
    if spaced.isascii() and spaced.isprintable():
        return spaced
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in {"Cf", "Cc"})
    return " ".join(seen.split())


def fold_name(header: str) -> str:
    """The form in which a header is compared with the usual names."""
    letters = unicodedata.normalize("NFKD", fold(header))
    return _SEPARATORS.sub("", "".join(c for c in letters if not unicodedata.combining(c)))


def field_of(header: str) -> str:
    """The field that *header* means by its usual names (``metadata.NAME`` too), or ""."""
    if fold(header).startswith(METADATA_PREFIX):
        name = _metadata_name(header)
        return f"{METADATA_PREFIX}{name}" if name else ""
    return _FIELD_OF_NAME.get(fold_name(header), "")


def _metadata_name(header: str) -> str:
    """The NAME as it is written: only the prefix is compared without regard to case."""
    return " ".join(unicodedata.normalize("NFKC", header).partition(".")[2].split())


def checked_columns(columns: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Field -> header as the person set them; the last word on a field counts.

    Raises UsageProblem for a field that does not exist.
    """
    chosen: dict[str, str] = {}
    for field, header in columns:
        is_metadata = field.startswith(METADATA_PREFIX) and field != METADATA_PREFIX
        if not is_metadata and field not in set(Field):
            raise UsageProblem(
                f"There is no field {field!r}",
                hint=f"the fields are {', '.join(Field)} and {METADATA_PREFIX}NAME",
            )
        chosen[field] = header
    return chosen


def key_columns(headers: Iterable[str]) -> tuple[str, ...]:
    """The ``key:`` headers as a campaign remembers them: folded, each once, in one fixed order."""
    return tuple(sorted({fold(header) for header in headers}))


def wanted_headers(columns: Iterable[tuple[str, str]]) -> Callable[[Sequence[str]], bool]:
    """
    A function that says whether a row of texts is a header row of a campaign: it names the column
    that feeds ``contact_id``, by *columns* (field, header) or by its usual names.

    Raises UsageProblem for a field that does not exist.
    """
    mapped = fold(checked_columns(columns).get(Field.CONTACT_ID, ""))

    def is_wanted(headers: Sequence[str]) -> bool:
        if mapped:
            return any(fold(header) == mapped for header in headers)
        return any(field_of(header) == Field.CONTACT_ID for header in headers)

    return is_wanted
