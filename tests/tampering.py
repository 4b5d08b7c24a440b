"""Ways to tamper with a model, or to put a foreign one there; what is planted leaves a trace if unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from triage.learning.signing import Signer

FILES = ("model.joblib", "sources.json.gz", "card.md", "atrs.md", "manifest.json", "signature")
#: A stranger's key: 32 bytes.
STRANGER = Signer(bytes(range(32)), "stranger")


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        """Return what unpickling calls."""
        return os.mkdir, (self.trace,)


@dataclass(frozen=True, slots=True)
class Attack:
    """One way: its kind, and what it does to the folder of a model, with another model's folder at hand."""

    kind: str
    act: Callable[[Path, Path], None]


def attacks(count: int, trace: Path, *, seed: int = 0) -> Iterator[Attack]:
    """Yield as many attacks, of all kinds in turn, the places drawn by the seed.

    Parameters
    ----------
    count : int
        How many.
    trace : Path
        What unpickling a planted model would make.
    seed : int
        Draws bytes and lengths.
    """
    draw = random.Random(seed)  # noqa: S311 - the same attacks each time
    bomb = pickle.dumps(Bomb(trace))
    for number in range(count):
        yield _KINDS[number % len(_KINDS)](draw, bomb, FILES[(number // len(_KINDS)) % len(FILES)])


def _flipped(draw: random.Random, bomb: bytes, name: str) -> Attack:
    place, bit = draw.random(), draw.randrange(8)

    def act(folder: Path, other: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(place * len(content))] ^= 1 << bit
        (folder / name).write_bytes(content)

    return Attack(f"one bit flipped in {name}", act)


def _truncated(draw: random.Random, bomb: bytes, name: str) -> Attack:
    share = draw.choice((0.0, draw.random(), 1.0))

    def act(folder: Path, other: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: min(int(share * len(content)), len(content) - 1)])

    return Attack(f"{name} cut short", act)


def _lengthened(draw: random.Random, bomb: bytes, name: str) -> Attack:
    more = draw.randbytes(draw.randrange(1, 99))

    def act(folder: Path, other: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + more)

    return Attack(f"bytes added to {name}", act)


def _swapped(draw: random.Random, bomb: bytes, name: str) -> Attack:
    return Attack(f"{name} of another model", lambda folder, other: _copy(other / name, folder / name))


def _missing(draw: random.Random, bomb: bytes, name: str) -> Attack:
    return Attack(f"{name} removed", lambda folder, other: (folder / name).unlink())


def _linked(draw: random.Random, bomb: bytes, name: str) -> Attack:
    def act(folder: Path, other: Path) -> None:
        kept = folder.parent / f".kept-{name}"
        shutil.move(folder / name, kept)
        (folder / name).symlink_to(kept)

    return Attack(f"{name} is a link to the same bytes", act)


def _planted(draw: random.Random, bomb: bytes, name: str) -> Attack:
    return Attack("the model replaced by a bomb", lambda folder, other: _write(folder / "model.joblib", bomb))


def _planted_with_hash(draw: random.Random, bomb: bytes, name: str) -> Attack:
    return Attack(
        "the model replaced by a bomb and its hash mended", lambda folder, other: _resign(folder, bomb, None)
    )


def _foreign(draw: random.Random, bomb: bytes, name: str) -> Attack:
    own_name = draw.random() < 0.5
    return Attack(
        "a bomb signed by a stranger" + (" in the name of the trusted key" if not own_name else ""),
        lambda folder, other: _resign(folder, bomb, STRANGER, own_name=own_name),
    )


def _unsigned(draw: random.Random, bomb: bytes, name: str) -> Attack:
    def act(folder: Path, other: Path) -> None:
        _resign(folder, bomb, None)
        (folder / "signature").unlink()

    return Attack("a bomb without a signature", act)


def _older_form(draw: random.Random, bomb: bytes, name: str) -> Attack:
    def act(folder: Path, other: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        for part in ("format", "signed_by"):
            del manifest[part]
        manifest["sha256"] = {"model.joblib": hashlib.sha256(bomb).hexdigest()}
        _write(folder / "model.joblib", bomb)
        _write(folder / "manifest.json", json.dumps(manifest).encode())
        for each in ("signature", "sources.json.gz", "card.md", "atrs.md"):
            (folder / each).unlink()

    return Attack("a bomb in the form of an older version", act)


def _edited(draw: random.Random, bomb: bytes, name: str) -> Attack:
    field = draw.choice(("recipe", "as_of", "seed", "metrics", "training", "learnt_prevalence", "git_commit"))

    def act(folder: Path, other: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest[field] = "2020-01-01T00:00:00+00:00" if field == "as_of" else f"{manifest[field]}x"
        _write(folder / "manifest.json", json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")

    return Attack(f"the manifest's {field} edited", act)


def _added(draw: random.Random, bomb: bytes, name: str) -> Attack:
    extra = draw.choice(("model.pkl", "model.joblib.bak", "layer.joblib", "sitecustomize.py", ".hidden"))
    return Attack(f"a file added ({extra})", lambda folder, other: _write(folder / extra, bomb))


def _other_folder(draw: random.Random, bomb: bytes, name: str) -> Attack:
    def act(folder: Path, other: Path) -> None:
        shutil.rmtree(folder)
        shutil.copytree(other, folder)

    return Attack("another model under this name", act)


def _linked_folder(draw: random.Random, bomb: bytes, name: str) -> Attack:
    def act(folder: Path, other: Path) -> None:
        kept = folder.parent / f".kept-{folder.name}"
        shutil.move(folder, kept)
        folder.symlink_to(kept, target_is_directory=True)

    return Attack("the folder is a link to the same bytes", act)


_KINDS = (
    _flipped,
    _truncated,
    _lengthened,
    _swapped,
    _missing,
    _linked,
    _planted,
    _planted_with_hash,
    _foreign,
    _unsigned,
    _older_form,
    _edited,
    _added,
    _other_folder,
    _linked_folder,
)


def _resign(folder: Path, model: bytes, signer: Signer | None, *, own_name: bool = False) -> None:
    """Put a model in with its hash, and sign the manifest anew if a key is given."""
    _write(folder / "model.joblib", model)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["model.joblib"] = hashlib.sha256(model).hexdigest()
    if signer is not None and own_name:
        manifest["signed_by"] = {"key_id": signer.public.key_id, "kind": "registrar", "name": signer.name}
    content = json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n"
    _write(folder / "manifest.json", content)
    if signer is not None:
        _write(folder / "signature", signer.sign(content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
