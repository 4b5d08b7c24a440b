"""Where a log's entries begin: stamps are found, and numbers that are no time are not taken for one."""

from __future__ import annotations

import time

import pytest

from triage.reading import split_entries


def clocks(text: str) -> list[str]:
    return [entry.clock for entry in split_entries(text)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("22:14 CALL: {c}. 22:31 UPD TA12: ATT", ["22:14", "22:31"]),
        ("22:14 CALL: {c} | 22:31 UPD TA12: ATT", ["22:14", "22:31"]),
        ("CAD 2740/29AUG\n1118 {c}\n1119 more", ["", "1118", "1119"]),
        ("2148 Mrs Haines {c}\r\n2150 again", ["2148", "2150"]),
        ("14/03 0912 {c}\n14/03/2024 09:20 x\n2024-03-14 0930 y", ["0912", "09:20", "0930"]),
        ("[22:14] {c}\n(22:20) x\n22:31:05 - y", ["22:14", "22:20", "22:31:05"]),
        ("2214hrs {c}\n2230 hrs off", ["2214", "2230"]),
        ("0255 {c} SAYS LAMPING? 0256 TRIP. 'YES.' 0257 END", ["0255", "0256", "0257"]),
        ("  9:05 {c}", ["9:05"]),
        ("2013 {c}. 2019 AT SCENE. 2044 CLOSE", ["2013", "2019", "2044"]),
        ("{c} // 0710 a // 0715 b", ["", "0710", "0715"]),
        ("0700 {c}. 2019 THEY MARRIED", ["0700"]),
    ],
)
def test_stamps_are_found(pattern: str, expected: list[str], canary: str) -> None:
    assert clocks(pattern.replace("{c}", canary.upper())) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{c}",
        "she owes £2200 {c}",
        "£2200 {c}\n£1450",
        "0121 496 0123 is her number {c}",
        "1998 it began, {c}. 2004 he left. In 2019. 2020 she left",
        "PC 1450 {c} attended, collar 2214. 1450 POUNDS GONE",
        "left at 22:14 {c}, back at 2230",
        "ALL WELL {c}. 1200 HRS TODAY. 22.14 IN",
        "call log 2148/03, flat 1204, {c}",
        "0900-1700 {c}",
        "2514 {c}\n1175 x\n24:61 y",
    ],
)
def test_other_numbers_are_no_stamps(pattern: str, canary: str) -> None:
    text = pattern.replace("{c}", canary)
    assert clocks(text) == [""]
    assert (split_entries(text)[0].start, split_entries(text)[0].end) == (0, len(text))


def test_authors_are_who_the_line_names(canary: str) -> None:
    text = f"22:14 CALL: {canary}\n22:31 UPD TA12: x\n2240 OP31 INFT y\n2241 PC 7702: z\n2250 Mrs Haines"
    assert [entry.author for entry in split_entries(text)] == ["CALL", "UPD TA12", "OP31", "PC 7702", ""]


def test_an_empty_text_has_no_entries() -> None:
    assert split_entries("") == ()


@pytest.mark.parametrize(
    "text", [" " * 200_000, "\n" * 200_000, ". " * 100_000, "." + ")" * 199_999, "2019. " * 33_000]
)
def test_long_texts_are_split_in_moments(text: str) -> None:
    started = time.perf_counter()
    entries = split_entries(text)
    assert time.perf_counter() - started < 5
    assert "".join(text[entry.start : entry.end] for entry in entries) == text
