"""How fast `triage score` is from extract to file, beside what else could be run over the same texts.

usage: python benchmarks/scoring.py [--records N ...] [--times K] [--parquet] [--hours-per-1000 H]

Each of these is a process of its own, from the start of the interpreter to the file it writes:

a1, a2  this product: `triage score`, one process and two
b       what a user would write: TfidfVectorizer (word 1-2) and LogisticRegression.predict_proba, one label
        and one for each family
c       spaCy's bag-of-words text classifier, the same labels
d       spaCy's blank English tokenizer alone

The model of the settings is built first if there is none; b and c are fitted to the corpus first. Seconds are
the best of K turns; `start` is what the same command takes for one record: interpreter, imports, model.
Peak memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("incidents", "domestic_noncrimes", "assessments", "referrals", "cancelled_crimes")
BATCH = 1_000


@dataclass(frozen=True)
class Spent:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def spent(words: list[str], environment: dict[str, str]) -> Spent:
    """Run a process and return what it took."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, env=environment, cwd=ROOT, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit(said.read().decode())
    return Spent(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def texts_of(folder: Path) -> tuple[list[str], list[str]]:
    """Return references and texts of an extract, as a user reads them."""
    import polars as pl

    frames = []
    for table in TABLES:
        path = next(folder.glob(f"{table}.*"))
        read = pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_parquet(path)
        frames.append(read.select("record_ref", "text"))
    frame = pl.concat(frames)
    return frame["record_ref"].to_list(), frame["text"].fill_null("").to_list()


def write(path: Path, references: list[str], probabilities: Any) -> None:
    """Write a column for each label."""
    import polars as pl

    frame = pl.DataFrame(probabilities, schema=[f"p_{n}" for n in range(probabilities.shape[1])])
    frame.insert_column(0, pl.Series("record_ref", references)).write_parquet(path)


def labels() -> tuple[list[str], Any]:
    """Return the corpus's texts and their labels: any missed crime, and each family disclosed."""
    import numpy as np
    from make_extract import corpus

    from triage.language.offences import FAMILIES

    records = corpus()
    rows = [
        [
            not set(each["disclosed"]) <= set(each["recorded"]),
            *(name in each["disclosed"] for name in FAMILIES),
        ]
        for each in records
    ]
    return [each["text"] for each in records], np.array(rows)


def fit_plain(fitted: Path) -> None:
    """Fit what b runs to the corpus."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, known = labels()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    matrix = vectorizer.fit_transform(texts)
    models = [LogisticRegression(solver="liblinear").fit(matrix, column) for column in known.T]
    joblib.dump((vectorizer, models), fitted / "plain.joblib")


def run_plain(folder: Path, out: Path, fitted: Path) -> None:
    """Score as a user would."""
    import joblib
    import numpy as np

    vectorizer, models = joblib.load(fitted / "plain.joblib")
    references, texts = texts_of(folder)
    matrix = vectorizer.transform(texts)
    write(out, references, np.column_stack([model.predict_proba(matrix)[:, 1] for model in models]))


def fit_spacy(fitted: Path) -> None:
    """Fit what c runs."""
    import spacy
    from spacy.training import Example

    texts, known = labels()
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": False,
        "no_output_layer": False,
        "ngram_size": 2,
    }
    categories = nlp.add_pipe("textcat_multilabel", config={"model": model})
    names = [f"l{number}" for number in range(known.shape[1])]
    for name in names:
        categories.add_label(name)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": dict(zip(names, map(float, row), strict=True))})
        for text, row in zip(texts, known, strict=True)
    ]
    nlp.initialize(lambda: examples)
    for at in range(0, len(examples), BATCH):
        nlp.update(examples[at : at + BATCH])
    nlp.to_disk(fitted / "spacy")


def run_spacy(folder: Path, out: Path, fitted: Path) -> None:
    """Score with spaCy's classifier."""
    import numpy as np
    import spacy

    nlp = spacy.load(fitted / "spacy")
    references, texts = texts_of(folder)
    write(out, references, np.array([[*doc.cats.values()] for doc in nlp.pipe(texts, batch_size=BATCH)]))


def run_tokenizer(folder: Path, out: Path, fitted: Path) -> None:
    """Tokenise and do nothing else."""
    import spacy

    nlp = spacy.blank("en")
    _, texts = texts_of(folder)
    out.write_text(str(sum(len(doc) for doc in nlp.pipe(texts, batch_size=BATCH))))


CHILDREN: dict[str, Callable[..., None]] = {
    "fit-b": fit_plain,
    "fit-c": fit_spacy,
    "b": run_plain,
    "c": run_spacy,
    "d": run_tokenizer,
}
NAMES = {
    "a1": "triage score, one process",
    "a2": "triage score, two processes",
    "b": "TF-IDF and logistic regression",
    "c": "spaCy's text classifier",
    "d": "spaCy's tokenizer alone",
}


def command(name: str, folder: Path, work: Path) -> list[str]:
    """Return the words of a process."""
    out = work / f"{name}.parquet"
    if name in CHILDREN:
        return [sys.executable, __file__, "--child", name, str(folder), str(out), str(work)]
    score = [sys.executable, "-m", "triage", "score", str(folder), "--out", str(out)]
    return [*score, "--jobs", name[1]]


def extract(folder: Path, records: int, given: argparse.Namespace) -> list[str]:
    """Return the words of the process that builds an extract."""
    hours = max(72.0, records / 1000 * given.hours_per_1000)
    words = [sys.executable, str(Path(__file__).with_name("make_extract.py")), str(folder), "--real-lengths"]
    return [*words, "--records", str(records), "--hours", str(hours), *(["--parquet"] * given.parquet)]


def best(folder: Path, work: Path, environment: dict[str, str], times: int) -> dict[str, Spent]:
    """Return the quickest of several turns of each; they take turns, since a machine has its moods."""
    turns = [{name: spent(command(name, folder, work), environment) for name in NAMES} for _ in range(times)]
    return {name: min((turn[name] for turn in turns), key=lambda turn: turn.seconds) for name in NAMES}


def lines(found: dict[str, Spent], starts: dict[str, Spent], records: int) -> Iterator[str]:
    """Give the lines of the table of one size."""
    heads = (
        ("seconds", 9),
        ("start", 7),
        ("CPU s", 8),
        ("records/s", 11),
        ("x b", 7),
        ("x d", 7),
        ("peak MB", 9),
    )
    yield f"{records:,} records".ljust(34) + "".join(head.rjust(width) for head, width in heads)
    for name, took in found.items():
        times = [found[other].seconds / took.seconds for other in ("b", "d")]
        yield (
            f"{name:4s}{NAMES[name]:30s}{took.seconds:9.2f}{starts[name].seconds:7.2f}{took.cpu_seconds:8.2f}"
            f"{records / took.seconds:11,.0f}{times[0]:7.2f}{times[1]:7.2f}{took.peak_mb:9.0f}"
        )
    yield f"two processes: {found['a1'].seconds / found['a2'].seconds:.2f} times as fast as one"


def measure(given: argparse.Namespace, work: Path) -> None:
    """Build the extracts, run everything and print."""
    # A process is charged with the memory of the one that started it: this one does nothing itself.
    environment = os.environ | {"TRIAGE_DATA_DIR": str(work / "var")}
    environment.setdefault("TRIAGE_REGISTRY_DIR", str(ROOT / "models" / "registry"))
    one = work / "1"
    print("building and fitting what is measured", flush=True)
    spent(extract(one, 1, given), environment)
    spent(command("a1", one, work), environment)
    for name in ("fit-b", "fit-c"):
        spent([sys.executable, __file__, "--child", name, str(work)], environment)
    starts = best(one, work, environment, given.times)
    peaks: dict[int, dict[str, Spent]] = {}
    for records in given.records:
        folder = work / str(records)
        spent(extract(folder, records, given), environment)
        peaks[records] = best(folder, work, environment, given.times)
        print("\n".join(lines(peaks[records], starts, records)), flush=True)
    if len(peaks) > 1:
        few, many = min(peaks), max(peaks)
        print(f"peak memory of {many:,} records over that of {few:,}:")
        for name in NAMES:
            print(f"{name:4s}{peaks[many][name].peak_mb / peaks[few][name].peak_mb:5.2f}")


def main() -> None:
    """Measure from the command line."""
    words = argparse.ArgumentParser(
        description="Times `triage score` beside other ways to score the same texts."
    )
    words.add_argument("--records", type=int, nargs="+", default=[10_000], metavar="N")
    words.add_argument("--times", type=int, default=1, metavar="K", help="turns, of which the best counts")
    words.add_argument("--parquet", action="store_true", help="read Parquet instead of CSV")
    words.add_argument("--hours-per-1000", type=float, default=7.2, metavar="H", help="of a night's records")
    words.add_argument("--child", choices=sorted(CHILDREN), help=argparse.SUPPRESS)
    words.add_argument("paths", type=Path, nargs="*", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.child:
        CHILDREN[given.child](*given.paths)
        return
    with tempfile.TemporaryDirectory(prefix="triage-scoring-") as name:
        measure(given, Path(name))


if __name__ == "__main__":
    main()
