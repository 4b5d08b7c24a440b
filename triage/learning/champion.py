"""Which model a person chose to rank: a log of signed promotions, each chained to the last.

Nothing in it is changed. A roll back is a new line that names the earlier model.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from triage.errors import ConflictError, ModelError, UsageError
from triage.learning.manifest import content_of
from triage.learning.signing import Signer, TrustedKeys

LOG, _LOCK = "champion.jsonl", ".champion.lock"
REASON_CHARACTERS_MAX = 200
_LOCK_SECONDS = 30
_RESTORE = "restore it from a backup and tell the registrar: who promoted what cannot be told from it"

Act = Literal["promote", "roll_back"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the log: who chose which model, why, and what it replaced (empty: nothing).

    ``manifest_sha256`` names the chosen model to the last bit; ``hash`` is that of the line's content, which
    holds the hash of the line before it; ``signature`` is over the same content, in hexadecimal digits.
    """

    number: int
    at: datetime
    actor: str
    act: Act
    model_id: str
    previous: str
    reason: str
    manifest_sha256: str
    key_id: str
    local: bool
    previous_hash: str
    hash: str = ""
    signature: str = ""

    @property
    def content(self) -> bytes:
        """What is hashed and signed: everything but hash and signature."""
        values = asdict(self) | {"at": self.at.astimezone(UTC).isoformat()}
        del values["hash"], values["signature"]
        return json.dumps(values, sort_keys=True).encode()

    @property
    def line(self) -> bytes:
        """The line of the log."""
        values = json.loads(self.content) | {"hash": self.hash, "signature": self.signature}
        return json.dumps(values, sort_keys=True).encode() + b"\n"


def log_of(registry_dir: Path) -> tuple[Promotion, ...]:
    """Return the promotions of a registry, oldest first, after checking that each follows from the last.

    Raises
    ------
    ModelError
        If the log cannot be read, or a line was altered, removed, inserted or put elsewhere.
    """
    path = registry_dir / LOG
    lines = content_of(path, "the log of promotions", _RESTORE).splitlines() if os.path.lexists(path) else []
    promotions: list[Promotion] = []
    for number, line in enumerate(lines, 1):
        one = _parsed(line, number, path)
        before = promotions[-1].hash if promotions else ""
        if one.number != number or one.previous_hash != before or one.hash != _hash(one):
            raise _altered(path, number)
        promotions.append(one)
    return tuple(promotions)


def standing(registry_dir: Path, trusted: TrustedKeys, *, heard: Collection[str] = ()) -> Promotion | None:
    """Return the promotion that stands, None where nobody ever promoted a model.

    Its signature covers, by the chain, every line before it. Where its hash is one of `heard`, the audit
    log's, it may be of a key that is not trusted any more.

    Raises
    ------
    ModelError
        If the log was altered, or its last line is not signed with a trusted key.
    """
    log = log_of(registry_dir)
    if log and (trusted.has(log[-1].key_id) or log[-1].hash not in heard):
        _check_signature(log[-1], trusted, registry_dir / LOG)
    return log[-1] if log else None


def succession(log: Sequence[Promotion]) -> tuple[str, ...]:
    """Return the models that served, oldest first and the champion last, without those rolled back.

    The first of them may be one that nobody promoted.
    """
    served: list[str] = [log[0].previous] if log and log[0].previous else []
    for one in log:
        if one.act == "promote":
            served.append(one.model_id)
        else:
            del served[-1]
    return tuple(served)


def followed_by(
    log: Sequence[Promotion],
    *,
    act: Act,
    model_id: str,
    previous: str,
    manifest_sha256: str,
    actor: str,
    at: datetime,
    reason: str,
    signer: Signer,
) -> Promotion:
    """Return the signed line that comes after a log.

    Raises
    ------
    UsageError
        If the reason is empty where one is needed, too long, or has characters that cannot be printed.
    """
    said = reason.strip()
    if act == "promote" and not said:
        raise UsageError(
            "a promotion needs its reason",
            where="--reason",
            mend=f"say why in 1 to {REASON_CHARACTERS_MAX} printable characters, without any record's text",
        )
    if len(said) > REASON_CHARACTERS_MAX or (said and not said.isprintable()):
        raise UsageError(
            "the reason is too long, or holds line breaks or other characters that cannot be printed",
            where="--reason",
            mend=f"say why in 1 to {REASON_CHARACTERS_MAX} printable characters, without any record's text",
        )
    public = signer.public
    one = Promotion(
        number=len(log) + 1,
        at=at,
        actor=actor,
        act=act,
        model_id=model_id,
        previous=previous,
        reason=said,
        manifest_sha256=manifest_sha256,
        key_id=public.key_id,
        local=signer.local,
        previous_hash=log[-1].hash if log else "",
    )
    return replace(one, hash=_hash(one), signature=signer.sign(one.content).hex())


def append(registry_dir: Path, one: Promotion) -> None:
    """Add a line to the log, which is whole before and after; call it within ``changing``.

    Raises
    ------
    ModelError
        If the log cannot be written.
    """
    path = registry_dir / LOG
    try:
        before = path.read_bytes() if path.exists() else b""
        handle, name = tempfile.mkstemp(prefix=f".{LOG}.", dir=registry_dir)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(before + one.line)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o640)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            f"the log of promotions cannot be written ({type(error).__name__})",
            where=str(path),
            mend="make the folder of the registry writable for who promotes",
        ) from None


@contextmanager
def changing(registry_dir: Path) -> Iterator[None]:
    """Hold the log for one change; another one waits.

    Raises
    ------
    ConflictError
        If another one holds it for half a minute.
    ModelError
        If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(registry_dir / _LOCK, timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise ConflictError(
            "another promotion is under way", where=str(registry_dir), mend="wait for it, then look again"
        ) from None
    except OSError as error:
        raise ModelError(
            f"the registry cannot be written ({type(error).__name__})",
            where=str(registry_dir),
            mend="make the folder writable for who promotes",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_signature(one: Promotion, trusted: TrustedKeys, path: Path) -> None:
    if trusted.who_signed(one.content, bytes.fromhex(one.signature)) is not None:
        return
    if trusted.has(one.key_id):
        raise _altered(path, one.number)
    raise ModelError(
        f"the promotion that stands was signed with the key {one.key_id!r}, which is not trusted here",
        where=f"{path}, line {one.number}",
        mend="promote a model with a trusted key, if this promotion was yours: `triage models promote`",
    )


def _hash(one: Promotion) -> str:
    return hashlib.sha256(one.content).hexdigest()


def _parsed(line: bytes, number: int, path: Path) -> Promotion:
    try:
        raw: Mapping[str, Any] = json.loads(line)
        one = Promotion(**{**raw, "at": datetime.fromisoformat(raw["at"])})
        known = one.act in ("promote", "roll_back") and one.at.tzinfo is not None
        if not known or len(bytes.fromhex(one.signature)) == 0 or one.line != line + b"\n":
            raise _altered(path, number)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _altered(path, number) from None
    return one


def _altered(path: Path, number: int) -> ModelError:
    return ModelError(
        "the log of promotions is not as it was written: a line was altered, removed, inserted or moved",
        where=f"{path}, line {number}",
        mend=_RESTORE,
    )
