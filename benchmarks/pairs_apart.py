"""How contrast pairs rank that nobody learnt from: two tellings in the same words, of which a clause decides.

usage: python benchmarks/pairs_apart.py [--model NAME]

`pairs_apart.jsonl`, in the form of the corpus: 280 pairs by four writers, apart from the corpus; nothing may
be learnt from them, and no figure on them is accuracy on police data. `p1` is about violence and threats,
`p2` about things taken and broken, `p3` about sexual offences, stalking, control and orders, `p4` about
children, public order and places of care. What decides is a fact of ordinary life: whose it was, where it
landed, who paid, what the order says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training_data.build import corpus_table
from triage.learning.metrics import pair_wins
from triage.learning.registry import load
from triage.learning.signing import trusted_by
from triage.ranking.recorded import counts_of
from triage.ranking.scoring import score_records
from triage.settings import load as load_settings

PAIRS = Path(__file__).with_name("pairs_apart.jsonl")


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Ranks contrast pairs that nothing was learnt from.")
    words.add_argument("--model", metavar="NAME", help="model or recipe; by default that of the settings")
    given = words.parse_args()
    settings = load_settings()
    loaded = load(settings.registry_dir, given.model or settings.recipe, trusted=trusted_by(settings))
    examples = corpus_table([PAIRS]).examples
    recorded = np.array([counts_of(each.recorded, each.record.opened_at.date()) for each in examples])
    scores = score_records(loaded.model, [each.record for each in examples], recorded, settings).score_01
    missed = np.array([each.missed for each in examples])
    authors = np.array([each.author for each in examples])
    pairs = np.array([each.record.record_ref[:-1] for each in examples])
    for author in (*np.unique(authors).tolist(), "all"):
        rows = np.isin(authors, author) | (author == "all")
        auc = roc_auc_score(missed[rows], scores[rows])
        won = pair_wins(missed[rows], scores[rows], pairs[rows]).mean()
        print(f"{author:4} ROC-AUC {auc:.3f}, pairs won {won:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
