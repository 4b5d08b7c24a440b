"""The command ``triage evaluate``: what rankings of an extract are worth against labelled truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.learning.evaluation import Labelled
    from triage.learning.registry import LoadedModel
    from triage.learning.reports import Report
    from triage.reading.linking import Linked
    from triage.settings import Settings

#: Recipes of what is done today, in the order of the table.
BASELINES = ("word_search", "weighted_phrases", "dash_count", "plain")


def add_evaluate(
    app: typer.Typer,
    *,
    model: Callable[[Settings, str | None], LoadedModel],
    labelled: Callable[[Sequence[Path]], Sequence[Labelled]],
) -> None:
    """Add the command to the program, which hands in what this room must not import.

    Parameters
    ----------
    app : Typer
        The program.
    model : callable
        Loads a model by its name, or that of the settings.
    labelled : callable
        Reads files of labelled records; without any, those of the corpus that ships.
    """

    @app.command()
    def evaluate(
        extract: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the extract.")],
        truth: Annotated[
            list[Path], typer.Option("--truth", metavar="FILE", help="Labelled records (JSONL); may repeat.")
        ],
        models: Annotated[
            list[str] | None,
            typer.Option(
                "--model",
                metavar="NAME",
                help="A model or recipe; may repeat; the one that ranks by default.",
            ),
        ] = None,
        baselines: Annotated[
            bool, typer.Option("--baselines", help="Judge the simple searches and methods beside it.")
        ] = False,
        mapping: Annotated[
            Path | None,
            typer.Option("--mapping", metavar="FILE", help="TOML file that says which column is which."),
        ] = None,
        plot: Annotated[
            Path | None,
            typer.Option("--plot", metavar="FILE", help="Draw recall against share read: .svg."),
        ] = None,
        figures: Annotated[
            Path | None, typer.Option("--json", metavar="FILE", help="Write all figures: .json.")
        ] = None,
    ) -> None:
        """Print what rankings of an extract are worth against labelled truth."""
        from triage.learning.reports import comparison, details
        from triage.settings import load

        started = perf_counter()
        settings = load(**({"mapping_file": mapping} if mapping else {}))
        _check_files(truth, plot, figures)
        known = labelled(truth)
        settings, linked = _read(extract, settings)
        names = list(dict.fromkeys((*(models or [settings.recipe]), *(BASELINES if baselines else ()))))
        reports, ids = [], {}
        for name in names:
            loaded = model(settings, name)
            ids[name] = loaded.model_id
            reports.append(_judged(name, loaded, linked, known, settings))
            typer.echo(f"{name}: model {loaded.model_id}", err=True)
        typer.echo(f"{comparison(reports)}\n\n{details(reports[0])}")
        _warn_of_learnt(known, labelled(()))
        _warn_of_other_texts(known, linked)
        if plot:
            _draw(reports, plot)
        if figures:
            _write(reports, ids, figures)
        scored = reports[0].records + reports[0].unlabelled
        typer.echo(
            f"{scored} records scored by {len(names)} models, {perf_counter() - started:.1f} seconds",
            err=True,
        )


def _check_files(truth: Sequence[Path], plot: Path | None, figures: Path | None) -> None:
    from triage.desk.files import checked_target
    from triage.figures.recall_curve import ENDINGS, check_can_draw

    if plot:
        checked_target(plot, ENDINGS)
        check_can_draw()
    if figures:
        checked_target(figures, (".json",))
        if figures.resolve() in {path.resolve() for path in truth}:
            raise UsageError(
                "the output would replace the labelled records",
                where=str(figures),
                mend="write to another folder, or under another name",
            )


def _read(extract: Path, settings: Settings) -> tuple[Settings, Linked]:
    from triage.reading import check_rejected_share, mapping_for, read_extract
    from triage.reading.linking import link

    columns = mapping_for(extract, settings)
    settings = columns.applied_to(settings)
    read = read_extract(extract, settings, mapping=columns)
    check_rejected_share(read, settings)
    return settings, link(read, settings)


def _judged(
    name: str, loaded: LoadedModel, linked: Linked, known: Sequence[Labelled], settings: Settings
) -> Report:
    from triage.desk.score_file import score_frame
    from triage.learning.evaluation import evaluate
    from triage.ranking.scoring import score_matters

    frame = score_frame(score_matters(loaded.model, linked.matters, settings=settings))
    return evaluate(name, known, frame.to_dicts(), prevalence=settings.assumed_prevalence)


def _warn_of_learnt(known: Sequence[Labelled], shipped: Sequence[Labelled]) -> None:
    learnt = {each.record.text for each in shipped if each.record.text}
    seen = sum(each.record.text in learnt for each in known)
    if seen:
        typer.echo(
            f"{seen} of the {len(known)} labelled records stand in the corpus that ships, from which models "
            "learn: on them the figures say nothing of records that a model never saw",
            err=True,
        )


def _warn_of_other_texts(known: Sequence[Labelled], linked: Linked) -> None:
    """Say so where a labelled text is not the one that was scored."""
    texts = {record.key: record.text for matter in linked.matters for record in matter.records}
    other = [
        each.record.record_ref
        for each in known
        if each.record.key in texts and each.record.text.split() != texts[each.record.key].split()
    ]
    if other:
        typer.echo(
            f"{len(other)} of the {len(known)} labelled records have another text in the extract, {other[0]} "
            "first: the extract's was scored, and labels and evidence may not fit it",
            err=True,
        )


def _draw(reports: Sequence[Report], path: Path) -> None:
    from triage.desk.files import replacing
    from triage.figures.recall_curve import draw_recall

    with replacing(path, mode=0o640) as temporary:
        draw_recall(reports, temporary)


def _write(reports: Sequence[Report], ids: dict[str, str], path: Path) -> None:
    from dataclasses import asdict

    from triage.desk.files import replacing

    content: list[dict[str, Any]] = [{"model_id": ids[each.name], **asdict(each)} for each in reports]
    with replacing(path, mode=0o640) as temporary:
        temporary.write_text(json.dumps({"rankings": content}, indent=1) + "\n", encoding="utf-8")
