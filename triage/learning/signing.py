"""Who signed a model: Ed25519 keys, the signatures that they make, and which keys are believed.

A registrar's key is made on purpose and named in the settings. A *local* key is made by the set-up, inside
the registry, so that the first night needs nobody: it shows that files are as this machine wrote them, and
is no person's word.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from triage.errors import ModelError
from triage.key_file import secret_key
from triage.settings import Settings

SIGNATURE_BYTES = 64
#: Hexadecimal digits of a key's id: 64 bits, enough to tell a handful of keys apart.
_ID_DIGITS = 16
#: Inside the registry; a leading dot is no model's folder.
_LOCAL_FOLDER, _LOCAL_SECRET, _LOCAL_PUBLIC = ".keys", "local.key", "local.pem"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key: 32 bytes, the name of its file, and whether the set-up made it."""

    raw: bytes
    name: str
    local: bool = False

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the 32 bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:_ID_DIGITS]

    @property
    def pem(self) -> bytes:
        """The key as other programs read it: SubjectPublicKeyInfo in PEM."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, 32 bytes, that signs; never shown.

    Source: RFC 8032, Edwards-Curve Digital Signature Algorithm, section 5.1.
    """

    secret: bytes = field(repr=False)
    name: str
    local: bool = False

    @property
    def public(self) -> PublicKey:
        """The public half."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self.secret)
        return PublicKey(key.public_key().public_bytes_raw(), self.name, self.local)

    def sign(self, content: bytes) -> bytes:
        """Return the signature of bytes: 64 bytes, the same for the same bytes."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.secret).sign(content)


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys that are believed; empty where there is none."""

    keys: tuple[PublicKey, ...] = ()

    def has(self, key_id: str) -> bool:
        """Return whether a key of this id is among them."""
        return any(key.key_id == key_id for key in self.keys)

    def who_signed(self, content: bytes, signature: bytes) -> PublicKey | None:
        """Return the key that signed these bytes, None if it was none of them."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        for key in self.keys:
            try:
                Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, content)
            except InvalidSignature:
                continue
            return key
        return None

    def and_local(self, registry_dir: Path) -> TrustedKeys:
        """Return these keys and the local one of a registry, if it has one."""
        return TrustedKeys((*self.keys, *_local_public(registry_dir)))


def local_signer(registry_dir: Path) -> Signer:
    """Return the local key of a registry, made on first use for its owner alone.

    Raises
    ------
    ModelError
        If the key cannot be made or read.
    """
    folder = registry_dir / _LOCAL_FOLDER
    signer = Signer(_secret(folder / _LOCAL_SECRET), "local", local=True)
    public = folder / _LOCAL_PUBLIC
    if not public.exists():
        _write_whole(public, signer.public.pem)
    return signer


def signer_of(settings: Settings) -> Signer:
    """Return the key that signs what is built with these settings.

    Raises
    ------
    ModelError
        If the key of the settings is missing, or what it signs would be refused here.
    """
    path = settings.signing_key_file
    if path is None:
        signer = local_signer(settings.registry_dir)
    elif path.exists():
        signer = Signer(_secret(path), path.stem)
    else:
        raise ModelError(
            "the key that signs models does not exist",
            where=f"setting signing_key_file: {path}",
            mend=f"restore it, or make one: `triage models key --make {path}`",
        )
    if settings.trusted_keys_dir is not None and not trusted_by(settings).has(signer.public.key_id):
        raise ModelError(
            f"the key that signs models here ({signer.name}, {signer.public.key_id}) is not trusted here",
            where=f"setting trusted_keys_dir: {settings.trusted_keys_dir}",
            mend="name the registrar's key in `signing_key_file`, or build where that key is kept",
        )
    return signer


def trusted_by(settings: Settings) -> TrustedKeys:
    """Return the keys whose models these settings load.

    Those of ``trusted_keys_dir``; without it the key that signs here: the registrar's, or the local one.

    Raises
    ------
    ModelError
        If a key cannot be read, or the folder holds none.
    """
    folder = settings.trusted_keys_dir
    if folder is not None:
        paths = sorted(folder.glob("*.pem"))
        if not paths:
            raise ModelError(
                "the folder of trusted keys holds no public key (.pem)",
                where=f"setting trusted_keys_dir: {folder}",
                mend="copy the registrar's public key there: `triage models key` tells which",
            )
        return TrustedKeys(tuple(_public(path) for path in paths))
    if settings.signing_key_file is not None:
        return TrustedKeys((signer_of(settings).public,))
    return TrustedKeys(_local_public(settings.registry_dir))


def make_key(path: Path) -> Path:
    """Make a private key for a registrar, and its public half beside it; return the latter's path.

    Raises
    ------
    ModelError
        If the name ends in `.pem`, a file of either name is there already, or cannot be written.
    """
    public = path.with_suffix(".pem")
    if public == path:
        raise ModelError(
            "the private key cannot end in .pem, as its public half does",
            where=str(path),
            mend=f"name it {path.with_suffix('.key')}",
        )
    for each in (path, public):
        if each.exists():
            raise ModelError(
                "there is a file of this name already, and a key is never replaced",
                where=str(each),
                mend="name another file",
            )
    signer = Signer(_secret(path), path.stem)
    _write_whole(public, signer.public.pem)
    return public


def _local_public(registry_dir: Path) -> tuple[PublicKey, ...]:
    path = registry_dir / _LOCAL_FOLDER / _LOCAL_PUBLIC
    return (_public(path, local=True),) if path.exists() else ()


def _public(path: Path, *, local: bool = False) -> PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        reason = type(error).__name__
    else:
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key.public_bytes_raw(), path.stem, local)
        reason = "it is not of the kind Ed25519"
    raise ModelError(
        f"the public key cannot be read ({reason})",
        where=str(path),
        mend="copy it again from where it was made, or remove the file",
    )


def _secret(path: Path) -> bytes:
    return secret_key(
        path,
        name="the registry",
        user="who builds models",
        lost="restore it from a backup; a new key needs every model built anew",
        error=ModelError,
    )


def _write_whole(path: Path, content: bytes) -> None:
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise ModelError(
            f"the public key cannot be written ({type(error).__name__})",
            where=str(path),
            mend="make the folder writable",
        ) from None
