"""What the monitoring is worth on the invented corpus: wrong labels found, drift found, false alarms.

``.venv/bin/python benchmarks/monitoring.py`` takes two or three minutes of one core. Labels: 5 % of the
corpus's labels are turned by a seed, and the doubts compared with those turned, without a score and with
that of the recipe of searches. Texts: two random windows of the same writers, and windows of which the
recent one holds records of a writer whom the other has not.
"""

from __future__ import annotations

import re

import numpy as np

from models.keywords import build_weighted_phrases
from training_data.build import corpus_table
from triage.learning.drift import numbers_shift, text_shift
from triage.learning.evaluation import matter_of
from triage.learning.label_quality import doubts, out_of_fold
from triage.ranking.scoring import score_matters
from triage.settings import Settings

SEEDS = (0, 1, 2)
TURNED = 0.05
WINDOW, REPEATS = 200, 20


def main() -> None:
    """Print all figures."""
    table = corpus_table()
    examples = [each for each in table.examples if each.record.text]
    texts = [each.record.text for each in examples]
    missed = np.array([each.missed for each in examples]).astype(int)
    pairs = [re.sub("(?<=[0-9])[ab]$", "", each.record.record_ref) for each in examples]
    scored = score_matters(
        build_weighted_phrases(table), [matter_of(each) for each in examples], settings=Settings()
    )
    by_ref = {each.record_ref: each.score_01 for each in scored}
    searches = np.array([by_ref[each.record.record_ref] for each in examples])
    print(f"{len(examples)} records, {missed.sum()} of them missed")
    for name, score in (("text and searches", searches), ("text alone", np.full(len(texts), 0.05))):
        for seed in SEEDS:
            turned = np.random.default_rng(seed).random(len(texts)) < TURNED
            given = np.where(turned, 1 - missed, missed)
            found = doubts(given, out_of_fold(texts, score, given, pairs, seed=seed))
            places = np.array([each.place for each in found])
            first = places[: int(turned.sum())]
            counts = f"{len(found)} doubted, {turned.sum()} turned"
            right, all_found = turned[places].mean(), turned[places].sum() / turned.sum()
            print(
                f"labels, {name}, seed {seed}: {counts}; of the doubted {right:.0%} are turned, of the "
                f"turned {all_found:.0%} are doubted, of the first {len(first)} {turned[first].mean():.0%}",
                flush=True,
            )
    _drift(np.array(texts, dtype=object), np.array([each.author for each in examples]))


def _drift(texts: np.ndarray, authors: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    lengths = np.array([float(len(each)) for each in texts])
    beyond = {"AUC": 0, "new words": 0, "PSI of lengths": 0, "AUC, threshold too": 0}
    for repeat in range(REPEATS):
        drawn = generator.choice(len(texts), 2 * WINDOW, replace=False)
        before, after = drawn[:WINDOW], drawn[WINDOW:]
        shift = text_shift(list(texts[before]), list(texts[after]), seed=repeat)
        moved = numbers_shift("length", lengths[before], lengths[after])
        beyond["AUC"] += shift.auc > shift.auc_chance
        beyond["AUC, threshold too"] += shift.auc > max(shift.auc_chance, Settings().monitor_auc_look)
        beyond["new words"] += shift.new_words > shift.new_words_chance
        beyond["PSI of lengths"] += moved.psi > moved.psi_chance
    for name, count in beyond.items():
        print(f"no drift, {WINDOW} texts each: {name} beyond chance in {count} of {REPEATS}", flush=True)
    for part in (0.1, 0.25, 0.5):
        aucs, found = [], 0
        writers = np.unique(authors)[:REPEATS]
        for seed, writer in enumerate(writers):
            own = generator.permutation(np.flatnonzero(authors == writer))[: int(part * WINDOW)]
            rest = generator.permutation(np.flatnonzero(authors != writer))[: 2 * WINDOW - len(own)]
            recent = [*texts[own], *texts[rest[: WINDOW - len(own)]]]
            shift = text_shift(list(texts[rest[WINDOW - len(own) :]]), recent, seed=seed)
            aucs.append(shift.auc)
            found += shift.auc > shift.auc_chance
        print(
            f"{part:.0%} of the recent texts by a writer unseen before: beyond chance in {found} of "
            f"{len(writers)}, median AUC {np.median(aucs):.2f}"
        )


if __name__ == "__main__":
    main()
