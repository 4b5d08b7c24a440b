"""Texts kept in a file: the same as in memory, whatever is asked for, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import UsageError
from triage.reading.kept_texts import KeptTexts, TextStore

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TextStore]:
    with TextStore(tmp_path) as store:
        yield store


@given(parts=st.lists(TEXTS, max_size=4), data=st.data())
def test_texts_are_read_as_they_were_kept(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], data: st.DataObject
) -> None:
    with TextStore(tmp_path_factory.getbasetemp()) as store:
        kept = [store.keep(pl.Series(part, dtype=pl.String)) for part in parts]
        assert [each.all().to_list() for each in kept] == parts
        order = data.draw(st.permutations(range(len(parts))))
        joined = KeptTexts.joined(store, (kept[at] for at in order))
        texts = [text for at in order for text in parts[at]]
        assert len(joined) == len(texts)
        assert joined.all().to_list() == texts
        assert [joined[place] for place in range(len(texts))] == texts
        places = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9) if texts else st.just([]))
        assert joined.gather(np.array(places, dtype=np.int64)).to_list() == [texts[at] for at in places]
        offset, length = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
        assert joined.slice(offset, length).to_list() == texts[offset : offset + length]


def test_the_file_has_no_name_and_holds_each_text_once(store: TextStore, tmp_path: Path) -> None:
    kept = store.keep(pl.Series(["SAID", "écouté"]))
    assert not [*tmp_path.iterdir()]
    assert (kept.begins.tolist(), kept.ends.tolist()) == ([0, 4], [4, 12])
    assert store.keep(pl.Series(["MORE"])).begins.tolist() == [12]


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FileNotFoundError") as caught, TextStore(tmp_path / "none"):
        pass
    assert str(tmp_path / "none") in str(caught.value)
    assert "free space" in str(caught.value)


def test_a_full_folder_is_named_without_any_text(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Linux has a device that is always full."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FileIO("/dev/full", "r+"))
    with TextStore(Path("here")) as store, pytest.raises(UsageError, match="OSError") as caught:
        store.keep(pl.Series([canary]))
    assert canary not in str(caught.value)
    assert "here" in str(caught.value)
