"""The night in its order, without Prefect: what is read, scored, queued and published.

:class:`Night` is the shell: it calls the clock, the disk and the store. What it calculates with is pure and
stands in ``items.py`` and in the library.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter

from flows import runfiles
from flows.carried import Rescored, Tonight, rescored
from flows.control_key import control_key
from flows.identity import Request, known_at, newest_moment, run_id_of, settings_digest
from flows.items import Weighed, new_item, part_hash, reading_counts, weigh
from flows.places import places_of
from flows.progress import Report
from flows.summary import Summary
from models import build_and_register
from triage.errors import ExtractError, ModelError
from triage.language.offences import unknown_codes
from triage.learning import registry
from triage.learning.registry import Serving
from triage.learning.signing import trusted_by
from triage.ranking.allocation import allocate
from triage.ranking.scoring import RecordScore, score_matters
from triage.reading import check_rejected_share, mapping_for, read_extract, write_rejects
from triage.reading.columns import Records
from triage.reading.linking import Linked, link
from triage.reading.mapping import harmless_path
from triage.settings import Settings
from triage.store import AuditEvent, Item, ItemCrime, ItemText, Publication, Run, Store

ACTOR = "nightly"
#: Longer than any carry-over: to tell an unread item that is too old from one that was read.
_EVER_DAYS = 36_500


class Night:
    """One night from its extract to its published queue; call its methods in their order.

    Parameters
    ----------
    request : Request
        What was asked for.
    settings : Settings
        The settings of the night.
    store : Store
        Prepared, with the lock of the night held.
    clock : callable
        Gives the present moment, aware; asked for audit events, and to tell which moments are of the future.
    """

    def __init__(
        self, request: Request, settings: Settings, store: Store, *, clock: Callable[[], datetime]
    ) -> None:
        self._request, self._settings, self._store, self._clock = request, settings, store, clock
        self._started = perf_counter()
        self._moment = request.moment(settings, clock())
        self._counts: dict[str, int | dict[str, int]] = {}
        self._scores: tuple[RecordScore, ...] = ()
        self._weighed: tuple[Weighed, ...] = ()
        self.published: Run | None = None
        self.was_published = False

    def read(self, report: Report) -> None:
        """Read the extract, and settle as of which moment it is read.

        Raises
        ------
        ExtractError
            If the extract cannot be read, or too many of its rows are rejected; which ones stands in
            ``rejects.csv`` of the data folder either way.
        """
        mapping = mapping_for(self._request.extract, self._settings)
        self._settings = mapping.applied_to(self._settings)
        extract = read_extract(
            self._request.extract,
            self._settings,
            mapping=mapping,
            as_of=self._moment,
            progress=lambda table, done: report(done, None, f"rows of {table}"),
        )
        rejects = self._settings.data_dir / "rejects.csv"
        runfiles.written(rejects, partial(write_rejects, extract))
        try:
            check_rejected_share(extract, self._settings)
        except ExtractError as error:
            raise ExtractError(
                error.what, where=str(rejects), mend=f"the file names each row; {error.mend}"
            ) from error
        as_of = self._moment or newest_moment(extract, self._clock())
        if as_of is None:
            # As of the clock, the night of a failed export would hide that of its repetition.
            raise ExtractError(
                "the extract names no moment up to now, so that nobody can say which night it is",
                where=harmless_path(self._request.extract),
                mend="export it again, or give --as-of if nothing happened that night",
            )
        self._as_of = as_of
        # With a moment given, reading has counted them.
        later = 0 if self._moment else Records.of(extract.records).opened_after(as_of)
        if later:
            note = f"{later:,} records are dated later than this night and are not queued: mend their times"
            extract = replace(extract, notes=(*extract.notes, note))
        unknown = unknown_codes(crime.offence_code for crime in extract.crimes)
        if unknown:
            listed = ", ".join(unknown)
            extract = replace(
                extract,
                notes=(
                    *extract.notes,
                    f"crimes whose offence code no family knows, so that they cover nothing: {listed}",
                ),
            )
        self._extract = known_at(extract, self._as_of)
        self._counts = {
            "rows": {table: count.rows for table, count in extract.counts.items()},
            "rejected": {table: count.rejected for table, count in extract.counts.items()},
            "records": len(extract.records),
            "crimes": len(extract.crimes),
            "crimes_recorded_later": len(extract.crimes) - len(self._extract.crimes),
        }

    @property
    def lacks_model(self) -> bool:
        """Whether nobody promoted a model and none of the recipe is trusted, as on a fresh machine."""
        return self._serving() is None

    def build_model(self) -> None:
        """Build a model of the recipe from the corpus and register it.

        Raises
        ------
        ModelError
            If no recipe has this name, or the registry or its key cannot be written.
        """
        build_and_register(self._settings.recipe, self._settings, as_of=self._clock())

    def identify(self) -> None:
        """Find out which night this is, and whether it is published already.

        Raises
        ------
        ModelError
            If there is no model, or the log of promotions was altered.
        StoreError
            If the key of the random draw cannot be read.
        """
        found = self._serving()
        if found is None:
            raise ModelError(
                f"no model of the recipe {self._settings.recipe!r}",
                where=str(self._settings.registry_dir),
                mend="build one: `triage train`",
            )
        self._model_id, self._model_notes = found.model_id, found.notes
        self._key = control_key(self._settings.control_key_path)
        self._settings_digest = settings_digest(self._settings)
        self._run_id = run_id_of(
            as_of=self._as_of,
            digest=self._extract.digest,
            model_id=self._model_id,
            settings_sha256=self._settings_digest,
            key=self._key,
        )
        self.published = self._store.run(self._run_id)
        self.was_published = self.published is not None

    def score(self, report: Report) -> None:
        """Link the records to matters and score each against the crimes that are recorded."""
        self._store.record(
            self._event(
                "collection",
                records=len(self._extract.records),
                crimes=len(self._extract.crimes),
                rejected=len(self._extract.rejects),
                extract_digest=self._extract.digest,
            )
        )
        self._linked: Linked = link(self._extract, self._settings)
        trusted = trusted_by(self._settings)
        self._model = registry.load(self._settings.registry_dir, self._model_id, trusted=trusted).model
        self._scores = score_matters(
            self._model,
            self._linked.matters,
            settings=self._settings,
            progress=lambda done, total: report(done, total, "records"),
        )
        self._weighed = weigh(self._linked, self._scores, as_of=self._as_of, settings=self._settings)
        self._counts |= reading_counts(self._linked, self._weighed)

    def publish(self) -> None:
        """Decide who is read tonight, write the run's files, and publish all in one transaction.

        Then texts whose retention date has come are emptied.

        Raises
        ------
        StoreError
            If the files or the store cannot be written; then yesterday's queue stands.
        """
        tonight = Tonight.of(self._linked, self._weighed)
        new = self._never_queued()
        made = self._store.draws_made(each.matter.root for each in self._weighed)
        unread, instead = self._unread(tonight, {each.matter.root for each in new})
        candidates = [replace(each.candidate, drawn_with=instead.get(each.matter.root)) for each in new]
        allocation = allocate(
            candidates,
            carried=[each.carried for each in unread.values()],
            draws_made=made,
            key=self._key,
            settings=self._settings,
        )
        by_content = {(each.candidate.record_ref, each.candidate.content_hash): each for each in new}
        draws = made | {draw.root: draw for draw in allocation.draws}
        items: dict[tuple[str, str], tuple[Item, tuple[ItemCrime, ...]]] = {}
        texts: list[ItemText] = []
        for place in allocation.places:
            if place.candidate is not None:
                content = (place.candidate.record_ref, place.candidate.content_hash)
                item, parts = new_item(
                    by_content[content],
                    run_id=self._run_id,
                    arm=place.arm,
                    inclusion_probability=place.inclusion_probability,
                    draw=draws.get(place.candidate.root),
                    as_of=self._as_of,
                    settings=self._settings,
                )
                items[content] = (item, parts[0].crimes)
                texts += parts
        places, lines = places_of(allocation, items, unread)
        self._counts |= allocation.counts
        self._counts |= {
            "queued_before": len(self._weighed) - len(new),
            "superseded": len(instead),
            "expired": self._expired(),
        }

        folder = runfiles.run_folder(self._settings.data_dir, self._run_id)
        by_record = {record.key: each for each in self._weighed for record in each.matter.records}
        arm_of = {(line.source, line.record_ref): line.arm for line in lines if not line.carried}
        runfiles.write_scores(
            folder / "scores.parquet",
            self._scores,
            contents={key: each.candidate.content_hash for key, each in by_record.items()},
            eligible={key: each.candidate.eligible for key, each in by_record.items()},
            arms={key: arm_of.get(each.matter.lead.key, "") for key, each in by_record.items()},
            inputs={
                record.key: (len(record.text), record.opening_code, record.closing_code)
                for each in self._weighed
                for record in each.matter.records
            },
        )
        runfiles.written(folder / "rejects.csv", partial(write_rejects, self._extract))
        runfiles.write_queue(folder / "queue.csv", lines)
        run = self._run()
        self._store.publish(
            Publication(
                run=run,
                items=tuple(item for item, _ in items.values()),
                texts=tuple(texts),
                places=places,
                draws=allocation.draws,
                rejects=self._extract.rejects,
            ),
            self._event(
                "combination",
                places=len(places),
                new_items=len(items),
                draws=len(allocation.draws),
                model_id=self._model_id,
            ),
        )
        self.published = run
        self._store.purge_texts(self._as_of, self._event("erasure"))

    def summary(self) -> Summary:
        """Return what is printed: counts, and the published queue as the store holds it."""
        assert self.published is not None, "a night is summed up once it is published"
        return Summary(
            run=self.published,
            queue=self._store.queue(self.published.run_id),
            was_published=self.was_published,
            minutes=(perf_counter() - self._started) / 60,
            store=self._store.where,
            folder=runfiles.run_folder(self._settings.data_dir, self.published.run_id),
        )

    def _serving(self) -> Serving | None:
        settings = self._settings
        return registry.serving(settings.registry_dir, settings.recipe, trusted_by(settings))

    def _never_queued(self) -> list[Weighed]:
        """Return tonight's matters of which some record was never queued with this content."""
        parts = {
            each.matter.root: {part_hash(record) for record in each.matter.records} for each in self._weighed
        }
        known = self._store.known_contents(one for every in parts.values() for one in every)
        return [each for each in self._weighed if not parts[each.matter.root] <= known]

    def _unread(
        self, tonight: Tonight, new: Collection[str]
    ) -> tuple[dict[str, Rescored], dict[str, float | None]]:
        """Return the unread items that stand, and the roots of matters that are read in the stead of others.

        The chance with which a matter's earlier content was drawn stays with it; None where it was not drawn.
        """
        # Items of another run as of the same moment, such as one with a smaller budget, are unread too.
        until = self._as_of + timedelta(microseconds=1)
        unread: dict[str, Rescored] = {}
        instead: dict[str, float | None] = {}
        for item in self._store.unread_items(until, self._settings.carry_over_days):
            now = tonight.in_the_stead_of(item, new)
            if now is not None:
                drawn = item.inclusion_probability if item.arm == "control" else None
                instead[now.matter.root] = instead.get(now.matter.root) or drawn
                continue
            unread[item.item_id] = rescored(
                item, self._store.texts(item.item_id), tonight, model=self._model, settings=self._settings
            )
        return unread, instead

    def _expired(self) -> int:
        """Return how many items of the queue that stands leave it unread, being too old."""
        oldest = self._as_of - timedelta(days=self._settings.carry_over_days)
        before = self._store.latest_run()
        if before is None or before.as_of > self._as_of:
            return 0
        ever = {item.item_id for item in self._store.unread_items(self._as_of, _EVER_DAYS)}
        standing = self._store.queue(before.run_id)
        return sum(row.item.queued_at < oldest and row.item.item_id in ever for row in standing)

    def _event(self, action: str, **details: int | str) -> AuditEvent:
        return AuditEvent(
            at=self._clock(),
            actor=ACTOR,
            action=action,
            subject=self._run_id,
            run_id=self._run_id,
            details=details,
        )

    def _run(self) -> Run:
        missing = not self._extract.counts["crimes"].accepted
        return Run(
            run_id=self._run_id,
            published_at=self._clock(),
            as_of=self._as_of,
            extract_digest=self._extract.digest,
            model_id=self._model_id,
            settings_digest=self._settings_digest,
            recipe=self._settings.recipe,
            budget_items=self._settings.budget_items,
            counts=self._counts,
            status="partial" if missing else "complete",
            notes=(*self._extract.notes, *self._model_notes),
        )
