"""What the night prints to be copied into a shell."""

from __future__ import annotations

import pytest

from flows.summary import _as_word


@pytest.mark.parametrize(
    ("reference", "printed"),
    [
        ("XX-20261013-0417", "XX-20261013-0417"),
        ("a;b", "'a;b'"),
        ("$(touch X)", "'$(touch X)'"),
        ("=cmd|x!A1", "'=cmd|x!A1'"),
        ("-opt", "-- -opt"),
        ("it's", """'it'"'"'s'"""),
    ],
)
def test_a_reference_is_one_word_of_a_shell_and_no_option(reference: str, printed: str) -> None:
    assert _as_word(reference) == printed
