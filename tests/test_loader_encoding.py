"""An encoding is proven, named, or said to be a guess; never guessed silently."""

# ruff: noqa: RUF001 - foreign letters look like others
from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.loader import ReadOptions, open_sheet

SPANISH = "contact_id,name\n1,María Peña\n2,José Núñez\n"
NAMES = "María López;José Peña;Ramón Núñez;Raúl Güiraldes;Bogotá;Córdoba;Martín;Muñoz"


class Read:
    """What was read: encoding, header and data cells, remarks by code."""

    def __init__(self, path: Path, *, encoding: str = "") -> None:
        options = ReadOptions(encoding=encoding)
        with open_sheet(
            str(path), options=options, wanted=lambda cells: "contact_id" in cells
        ) as s:
            self.rows = [s.head.headers, *(row.cells for row in s.rows())]
            self.encoding = s.head.encoding
            self.remarks = {remark.code: remark.message for remark in s.head.remarks}


def saved(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "campaign.csv"
    path.write_bytes(content)
    return path


def rows_of(text: str) -> list[tuple[str, ...]]:
    return [tuple(line.split(",")) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("mark", "codec", "shown"),
    [
        (b"", "utf-8", "utf-8"),
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32-be"),
        (b"", "utf-16-le", "utf-16-le"),
        (b"", "utf-16-be", "utf-16-be"),
        (b"", "utf-32-le", "utf-32-le"),
        (b"", "utf-32-be", "utf-32-be"),
        (codecs.BOM_UTF8 + codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
    ],
)
def test_unicode_is_recognised_and_its_mark_is_no_text(
    tmp_path: Path, mark: bytes, codec: str, shown: str
) -> None:
    sheet = Read(saved(tmp_path, mark + SPANISH.encode(codec)))

    assert sheet.rows == rows_of(SPANISH)
    assert sheet.encoding == shown
    assert sheet.remarks == {}


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    ["contact_id,a\n1,Ana\n", "contact_id,名前\n1,田中太郎\n2,佐藤花子\n"],
    ids=["ASCII", "Han"],
)
def test_utf_16_without_a_mark_shows_by_its_nuls(tmp_path: Path, codec: str, text: str) -> None:
    sheet = Read(saved(tmp_path, text.encode(codec)))

    assert (sheet.encoding, sheet.rows) == (codec, rows_of(text))


@pytest.mark.parametrize("content", [b"contact_id,b\n1,a\x00b\n", b"contact_id,b\n\x00,\x00\n"])
def test_a_few_nuls_make_no_utf_16(tmp_path: Path, content: bytes) -> None:
    sheet = Read(saved(tmp_path, content))

    assert (sheet.encoding, sheet.rows) == ("utf-8", rows_of(content.decode()))


def test_a_quoted_header_after_a_mark_is_quoted(tmp_path: Path) -> None:
    sheet = Read(saved(tmp_path, b'\xef\xbb\xbf"contact_id","b"\n"1","2"\n'))

    assert sheet.rows == [("contact_id", "b"), ("1", "2")]


def test_plain_ascii_is_utf_8(tmp_path: Path) -> None:
    assert Read(saved(tmp_path, b"contact_id\n1\n")).encoding == "utf-8"


def test_the_first_character_beyond_ascii_may_come_late(tmp_path: Path) -> None:
    text = "contact_id,b\n" + f"1,{'x' * 60}\n" * 20_000 + "2,ñ\n"

    sheet = Read(saved(tmp_path, text.encode()))

    assert (sheet.encoding, sheet.rows[-1]) == ("utf-8", ("2", "ñ"))


@pytest.mark.parametrize("ahead", range(4))
def test_a_character_may_be_cut_by_the_edge_of_a_piece(tmp_path: Path, ahead: int) -> None:
    start = "contact_id,b\n1," + "x" * ahead
    text = start + ("😀" * 4_000 + "\n1,") * 70 + "z\n"

    sheet = Read(saved(tmp_path, text.encode()))

    assert sheet.encoding == "utf-8"
    assert "".join(row[1] for row in sheet.rows[1:]).count("😀") == 280_000


@pytest.mark.parametrize(
    "words",
    [
        "Peña León ¿Cómo? ¡Hola! Nº 5 1ª 50 € pingüino MUÑOZ MUñOZ O´Brien Mª José",
        "première créée CRÉÉE cœur Œuvre L’été «Él» naïve Noël ça où",
        "Müller Straße Öl Äpfel „Zitat“ GRÖSSE",
        "São João ações Conceição maçã NÃO CORAÇÃO AÇÕES",
        "Ångström Søren Ærø Bjørn København BLÅBÆR",
        "col·lecció plaça",
        "Coca-Cola® © m² ½ it’s “quoted” … •",
    ],
    ids=["Spanish", "French", "German", "Portuguese", "Nordic", "Catalan", "signs"],
)
def test_windows_text_is_read_with_a_remark_that_shows_its_words(
    tmp_path: Path, words: str
) -> None:
    sheet = Read(saved(tmp_path, f"contact_id,b\n1,{words}\n".encode("cp1252")))

    assert (sheet.encoding, sheet.rows[1]) == ("cp1252", ("1", words))
    beyond_ascii = next(word for word in words.split() if not word.isascii())
    assert beyond_ascii in sheet.remarks["cp1252"]
    assert "--encoding" in sheet.remarks["cp1252"]


def test_a_last_accent_is_no_cut_utf_8(tmp_path: Path) -> None:
    sheet = Read(saved(tmp_path, "contact_id,b\n1,José".encode("cp1252")))

    assert sheet.rows[1] == ("1", "José")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp850", NAMES),
        ("cp437", NAMES.replace("á", "a")),
        ("mac_roman", NAMES),
        ("cp1250", "Paweł;Łódź;Wałęsa;Żółć"),
        ("iso8859-2", "Paweł;Łódź;Wałęsa;Żółć"),
        ("iso8859-2", "Timişoara;Iaşi;Ploieşti"),
        ("cp1254", "Işık;Çağlar;Şule;Doğan"),
        ("cp1257", "Šiauliai;Žemaitė;Jūratė"),
        ("cp1251", "Иван;Москва"),
        ("koi8-r", "Иван;Москва"),
        ("cp866", "Иван;Москва"),
        ("iso8859-7", "Νίκος;Αλέξανδρος"),
        ("cp1255", "שלום;דוד"),
        ("cp1256", "محمد;علي"),
        ("cp874", "สมชาย"),
        ("big5", "景點編號;王"),
        ("gbk", "王小明;李"),
        ("euc_kr", "김철수;이"),
        ("shift_jis", "田中;カナ"),
        ("euc_jp", "田中;カナ"),
        ("iso8859-15", "50 €;100 €"),
    ],
)
def test_other_encodings_are_refused_until_they_are_named(
    tmp_path: Path, encoding: str, text: str
) -> None:
    content = "contact_id,b\n" + "".join(f"1,{word}\n" for word in text.split(";"))
    path = saved(tmp_path, content.encode(encoding))

    with pytest.raises(SheetRefused) as refused:
        Read(path)
    named = Read(path, encoding=encoding)

    assert "--encoding" in refused.value.hint
    assert named.rows == rows_of(content)
    assert codecs.lookup(named.encoding) == codecs.lookup(encoding)


def test_words_that_do_not_look_right_are_shown(tmp_path: Path) -> None:
    path = saved(tmp_path, "contact_id,b\n1,Νίκος\n".encode("iso8859-7"))

    with pytest.raises(SheetRefused, match='"Íßêïò"'):
        Read(path)


def test_shown_words_cannot_steer_a_terminal(tmp_path: Path) -> None:
    sheet = Read(saved(tmp_path, b"contact_id,b\n" + b"1,Pe\xf1a\n" * 20 + b"2,\x1b\xe9\n"))

    assert '"\ufffdé"' in sheet.remarks["cp1252"]


def test_a_few_odd_words_among_many_do_not_refuse_windows_text(tmp_path: Path) -> None:
    content = "contact_id,b\n" + "1,Peña\n" * 30 + "2,Þór\n3,a\x02\n"

    sheet = Read(saved(tmp_path, content.encode("cp1252")))

    assert sheet.encoding == "cp1252"
    assert sheet.rows[-1] == ("3", "a\x02")


@pytest.mark.parametrize(
    "content",
    [
        b"contact_id,b\n1,Pe\xc3\xb1a\n2,Pe\xf1a\n",
        b"contact_id,b\n1,Pe\xc3\xb1a\n2,Pe\xc3",
        b"contact_id,b\n1,Pe\xf1a\n" + b"2,Pe\xc3\xb1a\n" * 9,
        b"contact_id,b\n1,\x81\n",
        b"contact_id,b\n1,\xe9\x01\x02\x03\n",
    ],
    ids=["UTF-8 then Windows", "cut UTF-8", "Windows then UTF-8", "undefined", "binary"],
)
def test_mixed_and_cut_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SheetRefused) as refused:
        Read(saved(tmp_path, content))

    assert "--encoding" in refused.value.hint


def test_the_line_of_the_first_foreign_byte_is_named(tmp_path: Path) -> None:
    text = "contact_id,b\n" + f"1,ñ{'x' * 60}\n" * 20_000

    with pytest.raises(SheetRefused, match="UTF-8 up to line 20002"):
        Read(saved(tmp_path, text.encode() + b"2,\xf1\n"))


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF16_LE + "contact_id\n1\n".encode("utf-16-le")[:-1],
        codecs.BOM_UTF8 + b"contact_id\n1\xff\n",
        codecs.BOM_UTF32_LE + b"a\x00\x00\x00\x00\x00\xff\xff",
    ],
    ids=["cut UTF-16", "broken UTF-8", "broken UTF-32"],
)
def test_a_mark_that_does_not_hold_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SheetRefused, match=r"holds bytes that are not utf-.*or the file was cut"):
        Read(saved(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [b"\x00" * 999, b"\x00", b"contact_id\n" + b"\x00" * 99, b"a\x00\x00b" * 99],
    ids=["zeros", "one", "a cut end filled with zeros", "scattered"],
)
def test_nuls_without_meaning_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SheetRefused) as refused:
        Read(saved(tmp_path, content))

    assert refused.value.hint


@pytest.mark.parametrize(
    ("named", "content", "shown"),
    [
        ("latin-1", b"contact_id,b\n1,\xe1\n", "iso8859-1"),
        ("UTF8", b"contact_id,b\n1,\xc3\xa1\n", "utf-8"),
        ("utf-8", b"\xef\xbb\xbfcontact_id,b\n1,\xc3\xa1\n", "utf-8-sig"),
        ("utf-8-sig", b"contact_id,b\n1,\xc3\xa1\n", "utf-8-sig"),
        ("utf-16", "\ufeffcontact_id,b\n1,á\n".encode("utf-16-be"), "utf-16-be"),
        ("utf-16", "contact_id,b\n1,á\n".encode("utf-16-be"), "utf-16-be"),
        ("utf-16", "contact_id,b\n1,á\n".encode("utf-16-le"), "utf-16-le"),
        ("utf-16-le", "\ufeffcontact_id,b\n1,á\n".encode("utf-16-le"), "utf-16-le"),
        ("utf-32", "contact_id,b\n1,á\n".encode("utf-32-le"), "utf-32-le"),
        ("utf-32", "contact_id,b\n1,á\n".encode("utf-32-be"), "utf-32-be"),
    ],
)
def test_a_named_encoding_wins(tmp_path: Path, named: str, content: bytes, shown: str) -> None:
    sheet = Read(saved(tmp_path, content), encoding=named)

    assert (sheet.encoding, sheet.rows) == (shown, [("contact_id", "b"), ("1", "á")])
    assert sheet.remarks == {}


def test_bytes_outside_the_named_encoding_are_refused_with_their_line(tmp_path: Path) -> None:
    path = saved(tmp_path, b"contact_id,b\r1,x\r2,\xf1\r")

    with pytest.raises(SheetRefused, match="line 3 holds bytes that are not utf-8"):
        Read(path, encoding="utf-8")


@pytest.mark.parametrize("name", ["nonsense", "hex", "rot13", "idna", "unicode_escape", "a\x00b"])
def test_a_name_that_is_no_encoding_is_a_usage_problem(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match="--encoding"):
        Read(saved(tmp_path, b"contact_id\n"), encoding=name)


def test_characters_lost_or_garbled_before_are_remarked(tmp_path: Path) -> None:
    sheet = Read(saved(tmp_path, "contact_id,b\n1,Jos\ufffd\n2,JosÃ©\n3,JosÃ©\n".encode()))

    assert sheet.rows[1] == ("1", "Jos\ufffd")
    assert set(sheet.remarks) == {"lost_characters", "garbled_text"}
    assert '"JosÃ©"' in sheet.remarks["garbled_text"]


def test_portuguese_capitals_are_not_garbled(tmp_path: Path) -> None:
    assert Read(saved(tmp_path, "contact_id,b\n1,SÃO JOÃO\n".encode())).remarks == {}
