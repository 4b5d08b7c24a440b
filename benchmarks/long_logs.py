"""How long and busy records rank, such as real logs are, of writers whom nobody learnt from.

usage: python benchmarks/long_logs.py [--model NAME] [--baselines]

`long_logs.jsonl`, in the form of the corpus: 195 records of 146 to 641 words by three writers, apart from the
corpus; nothing may be learnt from them, and no figure on them is accuracy on police data. What decides is one
clause amid call handlers', dispatchers' and officers' entries, letters and forms, of which the innocent
records are as full; `l1` is a county force's mixed night, `l2` terse, misspelt and repetitive, `l3` a city
force's, of half the length.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models import RECIPES
from training_data.build import corpus_table
from triage.desk.evaluate_command import BASELINES
from triage.desk.score_file import score_frame
from triage.learning.evaluation import evaluate, matter_of
from triage.learning.registry import load
from triage.learning.reports import comparison, details
from triage.learning.signing import trusted_by
from triage.ranking.scoring import score_matters
from triage.settings import load as load_settings

LOGS = Path(__file__).with_name("long_logs.jsonl")


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Ranks long records that nothing was learnt from.")
    words.add_argument("--model", metavar="NAME", help="model or recipe; by default that of the settings")
    words.add_argument("--baselines", action="store_true", help="fit the baselines to the corpus beside it")
    given = words.parse_args()
    settings = load_settings()
    loaded = load(settings.registry_dir, given.model or settings.recipe, trusted=trusted_by(settings))
    rankers = {loaded.model_id: loaded.model}
    if given.baselines:
        corpus = corpus_table()
        rankers |= {name: RECIPES[name](corpus) for name in BASELINES}
    examples = corpus_table([LOGS]).examples
    matters = [matter_of(each) for each in examples]
    reports = []
    for name, ranker in rankers.items():
        rows = score_frame(score_matters(ranker, matters, settings=settings)).to_dicts()
        reports.append(evaluate(name, examples, rows, prevalence=settings.assumed_prevalence))
    print(comparison(reports), details(reports[0]), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
