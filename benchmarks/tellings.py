"""How offences rank that are told in plain words, are denied, or stand in a long and dull log.

usage: python benchmarks/tellings.py [--model NAME] [--each]

Three sets, invented, apart from the corpus; nothing may be learnt from them, and no figure on them is
accuracy on police data. No crime is recorded for any.

- `plain_words.csv`: pairs of short logs; one tells of an offence in the plain words of everyday and of the
  law, the other uses the same words of something innocent.
- `denials.csv`: stories of one offence each with five endings: none, an officer's closing, the suspect's
  denial, an officer's doubt, and the victim's own credible denial or a hard fact. By the rule only the last
  takes the offence away.
- `dull_entries.txt`: entries of a log that say nothing. All pairs, and the stories without ending and with
  the last one, are ranked again with 5, 20 and 60 of them about the text, drawn anew for each.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training_data.amid import text_amid
from triage.language.offences import FAMILIES
from triage.learning.registry import load
from triage.learning.signing import trusted_by
from triage.ranking.scoring import Ranker, Scores, score_records
from triage.reading.records import Record
from triage.settings import Settings
from triage.settings import load as load_settings

HERE = Path(__file__).parent
AT = datetime(2026, 10, 14, tzinfo=UTC)
#: The ending that takes the offence away, and those that do not.
CANCELS, STANDING = "victim", ("bare", "closing", "suspect", "doubt")
#: How many dull entries stand about a text.
ENTRIES = (0, 5, 20, 60)


def rows_of(name: str) -> list[dict[str, str]]:
    """Return the rows of a set."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def scores_of(model: Ranker, settings: Settings, texts: Sequence[str]) -> Scores:
    """Return the scores of texts for which nothing is recorded."""
    records = [Record("incidents", str(place), AT, AT, text) for place, text in enumerate(texts)]
    return score_records(model, records, np.zeros((len(texts), len(FAMILIES)), dtype=np.int64), settings)


def plain_words(model: Ranker, settings: Settings, rows: list[dict[str, str]], *, each: bool) -> None:
    """Print how the pairs rank."""
    scores = scores_of(model, settings, [row["text"] for row in rows])
    told = np.array([row["discloses"] == "y" for row in rows])
    score, first = scores.score_01, scores.families[:, 0]
    if each:
        for row, value, family in zip(rows, score, first, strict=True):
            named = f"{row['discloses']} {value:.4f} {FAMILIES[family]:32}"
            print(f"{row['number']:>3} {named} {row['text'][:70]}")
    wanted = np.array([FAMILIES.index(row["family"]) for row in rows])
    won = (score[told] > score[~told]).mean()
    right = (first == wanted)[told].mean()
    print(f"plain words, {told.sum()} pairs: telling one first {won:.3f}, first family {right:.3f}")
    print(f"plain words: ROC-AUC {roc_auc_score(told, score):.3f}")


def denials(model: Ranker, settings: Settings, rows: list[dict[str, str]], *, each: bool) -> None:
    """Print how the endings of the stories rank."""
    score = scores_of(model, settings, [row["text"] for row in rows]).score_01
    endings: dict[str, Any] = {
        name: np.array([value for row, value in zip(rows, score, strict=True) if row["ending"] == name])
        for name in (*STANDING, CANCELS)
    }
    if each:
        for row, value in zip(rows, score, strict=True):
            print(f"{row['number']:>3} {row['ending']:8} {value:.4f} {row['text'][-70:]}")
    for name in STANDING:
        found = endings[name]
        above = (found > endings[CANCELS]).mean()
        print(f"denials, {name}: median score {np.median(found):.3f}, above the story taken away {above:.3f}")
    print(f"denials, taken away: median score {np.median(endings[CANCELS]):.3f}")


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Ranks plain words, denials and long logs.")
    words.add_argument("--model", metavar="NAME", help="a model or recipe; that of the settings by default")
    words.add_argument("--each", action="store_true", help="print each text's score, too")
    given = words.parse_args()
    settings = load_settings()
    model = load(settings.registry_dir, given.model or settings.recipe, trusted=trusted_by(settings)).model
    pairs, stories = rows_of("plain_words.csv"), rows_of("denials.csv")
    plain_words(model, settings, pairs, each=given.each)
    denials(model, settings, stories, each=given.each)
    ends = [row for row in stories if row["ending"] in ("bare", CANCELS)]
    texts = [row["text"] for row in (*pairs, *ends)]
    told = np.array([row["discloses"] == "y" for row in pairs] + [row["ending"] != CANCELS for row in ends])
    entries = (HERE / "dull_entries.txt").read_text(encoding="utf-8").splitlines()
    for count in ENTRIES:
        chance = random.Random(count)  # noqa: S311 (chance, no secret)
        longer = [text_amid(text, entries, count, chance) for text in texts]
        score = scores_of(model, settings, longer).score_01
        words_each = np.median([len(text.split()) for text in longer])
        medians = f"median score told {np.median(score[told]):.3f}, not told {np.median(score[~told]):.3f}"
        print(f"amid {count} dull entries, {words_each:.0f} words: ROC-AUC {roc_auc_score(told, score):.3f}")
        print(f"    {medians}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
