"""Whether offences told by their own names stand before innocent texts of the same words.

usage: python benchmarks/plain_words.py [--model NAME]

`plain_words.csv` holds pairs of short invented logs: one tells of an offence in the plain words of everyday
and of the law, the other uses the same words of something innocent. No crime is recorded for any. They are
no part of the corpus, and nothing may be learnt from them. All texts are invented: no figure here is accuracy
on police data.
"""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage.language.offences import FAMILIES
from triage.learning.registry import load
from triage.learning.signing import trusted_by
from triage.ranking.scoring import score_records
from triage.reading.records import Record
from triage.settings import load as load_settings

PAIRS = Path(__file__).with_suffix(".csv")
AT = datetime(2026, 10, 14, tzinfo=UTC)


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Ranks plain words for an offence and innocent twins.")
    words.add_argument("--model", metavar="NAME", help="a model or recipe; that of the settings by default")
    given = words.parse_args()
    with PAIRS.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    settings = load_settings()
    model = load(settings.registry_dir, given.model or settings.recipe, trusted=trusted_by(settings)).model
    records = [Record("incidents", str(place), AT, AT, row["text"]) for place, row in enumerate(rows)]
    recorded = np.zeros((len(rows), len(FAMILIES)), dtype=bool)
    scores = score_records(model, records, recorded, settings)
    told = np.array([row["discloses"] == "y" for row in rows])
    score = scores.score_01
    wanted = np.array([FAMILIES.index(row["family"]) for row in rows])
    for row, value, first in zip(rows, score, scores.families[:, 0], strict=True):
        print(f"{row['number']:>3} {row['discloses']} {value:.4f} {FAMILIES[first]:32} {row['text'][:70]}")
    print(f"pairs won {(score[told] > score[~told]).mean():.3f} of {told.sum()}")
    print(f"ROC-AUC {roc_auc_score(told, score):.3f}")
    print(f"first family {(scores.families[told, 0] == wanted[told]).mean():.3f}")
    print(f"median score: told {np.median(score[told]):.4f}, innocent {np.median(score[~told]):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
