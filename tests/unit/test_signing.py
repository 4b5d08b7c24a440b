"""Keys: who signs, who is believed, and what is said where one is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from triage.errors import ModelError
from triage.learning.signing import (
    PublicKey,
    Signer,
    TrustedKeys,
    local_signer,
    make_key,
    signer_of,
    trusted_by,
)
from triage.settings import Settings


def test_what_a_key_signed_is_known_and_nothing_else() -> None:
    one, other = Signer(bytes(32), "one"), Signer(bytes(range(32)), "other")
    signature = one.sign(b"content")
    trusted = TrustedKeys((other.public, one.public))
    assert trusted.who_signed(b"content", signature) == one.public
    assert trusted.who_signed(b"contents", signature) is None
    assert trusted.who_signed(b"content", signature[:-1]) is None
    assert trusted.who_signed(b"content", b"") is None
    assert TrustedKeys((other.public,)).who_signed(b"content", signature) is None
    assert trusted.has(one.public.key_id)
    assert not TrustedKeys((other.public,)).has(one.public.key_id)


def test_the_signature_is_the_one_of_the_standard() -> None:
    """Source: RFC 8032, section 7.1, test 2."""
    signer = Signer(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), "rfc")
    assert signer.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signer.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223")


def test_a_secret_is_not_shown() -> None:
    signer = Signer(b"\x07" * 32, "one")
    assert "\\x07" not in repr(signer)


def test_the_local_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    signer = local_signer(tmp_path / "registry")
    assert signer.local
    assert local_signer(tmp_path / "registry") == signer
    assert (tmp_path / "registry" / ".keys" / "local.key").stat().st_mode & 0o777 == 0o600
    settings = Settings(registry_dir=tmp_path / "registry")
    assert trusted_by(settings).keys == (signer.public,)
    assert signer_of(settings) == signer


def test_looking_makes_no_key(tmp_path: Path) -> None:
    assert trusted_by(Settings(registry_dir=tmp_path / "registry")).keys == ()
    assert list(tmp_path.iterdir()) == []


def test_a_registrars_key_signs_and_is_believed_and_the_local_one_no_more(tmp_path: Path) -> None:
    public = make_key(tmp_path / "registrar.key")
    local = local_signer(tmp_path / "registry")
    settings = Settings(registry_dir=tmp_path / "registry", signing_key_file=tmp_path / "registrar.key")
    signer = signer_of(settings)
    assert not signer.local
    assert trusted_by(settings).keys == (signer.public,)
    (tmp_path / "trusted").mkdir()
    shutil.copy(public, tmp_path / "trusted")
    # A machine that only loads has the public half alone.
    elsewhere = Settings(registry_dir=tmp_path / "registry", trusted_keys_dir=tmp_path / "trusted")
    assert trusted_by(elsewhere).keys == (PublicKey(signer.public.raw, "registrar"),)
    assert not trusted_by(elsewhere).has(local.public.key_id)
    with pytest.raises(ModelError, match="not trusted here") as caught:
        signer_of(elsewhere)
    assert caught.value.exit_code == 12


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    make_key(tmp_path / "registrar.key")
    kept = (tmp_path / "registrar.key").read_bytes()
    with pytest.raises(ModelError, match="never replaced"):
        make_key(tmp_path / "registrar.key")
    (tmp_path / "other.pem").write_text("")
    with pytest.raises(ModelError, match="never replaced"):
        make_key(tmp_path / "other.key")
    assert (tmp_path / "registrar.key").read_bytes() == kept
    assert not (tmp_path / "other.key").exists()


def test_a_missing_registrars_key_is_not_made(tmp_path: Path) -> None:
    settings = Settings(registry_dir=tmp_path, signing_key_file=tmp_path / "absent.key")
    for ask in (signer_of, trusted_by):
        with pytest.raises(ModelError, match="does not exist") as caught:
            ask(settings)
        assert "triage models key --make" in caught.value.mend
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\n"])
def test_a_broken_public_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fcir.pem").write_bytes(content)
    with pytest.raises(ModelError, match=r"fcir\.pem"):
        trusted_by(Settings(trusted_keys_dir=tmp_path))


def test_a_public_key_of_another_kind_is_named(tmp_path: Path) -> None:
    other = Ed448PrivateKey.generate().public_key()
    (tmp_path / "fcir.pem").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ModelError, match="not of the kind Ed25519"):
        trusted_by(Settings(trusted_keys_dir=tmp_path))


def test_an_empty_folder_of_trusted_keys_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no public key"):
        trusted_by(Settings(trusted_keys_dir=tmp_path))


@pytest.mark.parametrize("content", [b"", b"abc", b"g" * 64])
def test_a_broken_private_key_is_named_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "registrar.key"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="does not hold the key") as caught:
        signer_of(Settings(registry_dir=tmp_path, signing_key_file=path))
    assert "ggg" not in str(caught.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_anybody_can_verify_with_openssl(tmp_path: Path) -> None:
    public = make_key(tmp_path / "registrar.key")
    signer = signer_of(Settings(registry_dir=tmp_path, signing_key_file=tmp_path / "registrar.key"))
    (tmp_path / "manifest.json").write_bytes(b"content")
    (tmp_path / "signature").write_bytes(signer.sign(b"content"))
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    words += ["-in", str(tmp_path / "manifest.json"), "-sigfile", str(tmp_path / "signature")]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    (tmp_path / "manifest.json").write_bytes(b"contents")
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0


def test_a_private_key_cannot_have_the_name_of_its_public_half(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot end in \.pem"):
        make_key(tmp_path / "registrar.pem")
    assert not list(tmp_path.iterdir())
