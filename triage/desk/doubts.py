"""The decisions that the last monitoring doubted, for the registrar's desk; it imports next to nothing."""

from __future__ import annotations

import json

from triage.errors import StoreError
from triage.settings import Settings

#: Folder of the monitoring in the data folder, with one for each last moment, and the file of all figures.
FOLDER, FIGURES = "monitor", "monitoring.json"


def doubted_items(settings: Settings) -> tuple[tuple[str, str, str], ...]:
    """Return the decisions that the last monitoring doubted: item, what was decided, what others suggest.

    Raises
    ------
    StoreError
        If the file of the last monitoring cannot be read.
    """
    paths = sorted(settings.data_dir.glob(f"{FOLDER}/*/{FIGURES}"))
    if not paths:
        return ()
    try:
        kept = json.loads(paths[-1].read_text(encoding="utf-8"))["doubts"]
        return tuple((each["item_id"], each["given"], each["suggested"]) for each in kept)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = type(error).__name__
    raise StoreError(
        f"the figures of the last monitoring cannot be read ({reason})",
        where=str(paths[-1]),
        mend="remove the folder and run `triage monitor` again",
    )
