"""What each recipe is worth on authors of the corpus that it never saw, in one table and one picture.

usage: python benchmarks/evaluate_corpus.py [--corpus FILE ...] [--recipe NAME ...] [--authors A ...]
           [--train-authors A ...] [--together K] [--jobs N] [--plot FILE.svg]

Every author's records are scored by a model that learnt from the others alone, or, with K authors left out at
a time, from all but those K; contrast pairs have one author and so stay together. Single clauses, whose
authors wrote no record, are learnt from too, unless authors to learn from are named. Files that are named
replace the corpus that ships. All its texts are invented: no figure here is accuracy on police data. The
picture needs matplotlib (the extra `plots`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models import RECIPES  # noqa: E402
from training_data.build import TrainingTable, corpus_table  # noqa: E402
from training_data.examples import Example  # noqa: E402
from triage.desk.evaluate_command import BASELINES  # noqa: E402
from triage.desk.score_file import score_frame  # noqa: E402
from triage.errors import UserError, known_names  # noqa: E402
from triage.figures.recall_curve import check_can_draw, draw_recall  # noqa: E402
from triage.learning.evaluation import evaluate, leave_one_author_out  # noqa: E402
from triage.learning.reports import Report, comparison, details  # noqa: E402
from triage.ranking.scoring import Ranker  # noqa: E402
from triage.settings import Settings  # noqa: E402

PICTURE = ROOT / "benchmarks" / "figures" / "recall_by_share_read.svg"


def build(recipe: str, table: TrainingTable, examples: Sequence[Example]) -> Ranker:
    """Fit a recipe to some of a table's examples."""
    return RECIPES[recipe](replace(table, examples=tuple(examples)))


def judge(recipe: str, table: TrainingTable, settings: Settings, given: argparse.Namespace) -> Report:
    """Return what a recipe is worth on authors that it never saw."""
    started = perf_counter()
    scores = leave_one_author_out(
        partial(build, recipe, table),
        table.examples,
        settings=settings,
        authors=given.authors,
        train_authors=given.train_authors,
        together=given.together,
        jobs=given.jobs,
    )
    print(f"{recipe}: {perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    judged = [each for each in table.examples if not given.authors or each.author in given.authors]
    over = "authors" if len({each.author for each in judged}) > 1 else "pairs"
    rows = score_frame(scores).to_dicts()
    return evaluate(recipe, judged, rows, prevalence=settings.assumed_prevalence, over=over)


def main() -> int:
    """Measure, print and draw."""
    words = argparse.ArgumentParser(description="Leaves one author of the corpus out at a time.")
    words.add_argument("--corpus", nargs="+", type=Path, default=[], metavar="FILE", help="labelled records")
    words.add_argument("--recipe", nargs="+", metavar="NAME", help="the default one and all baselines")
    words.add_argument("--authors", nargs="+", default=[], metavar="A", help="whose records are judged")
    words.add_argument("--train-authors", nargs="+", default=[], metavar="A", help="who may be learnt from")
    words.add_argument("--together", type=int, default=1, metavar="K", help="authors left out at a time")
    words.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    words.add_argument("--plot", type=Path, default=PICTURE, metavar="FILE", help="picture to write (SVG)")
    given = words.parse_args()
    settings = Settings()
    recipes = given.recipe or [settings.recipe, *BASELINES]
    for name in recipes:
        if name not in RECIPES:
            words.error(f"recipe {known_names(name, RECIPES)}")
    try:
        check_can_draw()
        table = corpus_table(given.corpus)
        if given.train_authors:
            table = replace(table, clauses=())
        reports = [judge(name, table, settings, given) for name in recipes]
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(comparison(reports), details(reports[0]), sep="\n\n")
    given.plot.parent.mkdir(parents=True, exist_ok=True)
    draw_recall(reports, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
