from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import pytest

from pathview.errors import ModelError, OutputError
from pathview.models.archive import UnknownKey, export_version, import_archive, read_archive
from pathview.models.registry import Registry
from pathview.models.signing import MachineKey, fingerprint, is_signed, is_trusted, keys_dir
from pathview.models.weights import CARD, MANIFEST, SEEN, WEIGHTS
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    """The machine that exports."""
    return Settings(data_dir=tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Settings:
    """The machine that imports."""
    return Settings(data_dir=tmp_path / "there")


@pytest.fixture
def file(here: Settings, tmp_path: Path) -> Path:
    version = Registry(here).register(write_numbers_model(tmp_path / "one"), "Dr A", "trained", "trained here.")
    path = tmp_path / "tiny.pathview-model"
    export_version(version, path, "Pathology, Ä", here)
    return path


def rewritten(file: Path, change) -> Path:
    """The archive with its entries (names and bytes) changed."""
    with zipfile.ZipFile(file) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    path = file.with_name("changed.pathview-model")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in change(entries):
            archive.writestr(name, content)
    return path


def no_version(there: Settings) -> bool:
    return Registry(there).names() == () and not list(there.data_dir.rglob("*.safetensors"))


def test_that_the_title_of_its_training_comes_along(here: Settings, there: Settings, tmp_path: Path) -> None:
    folder = write_numbers_model(tmp_path / "titled")
    version = Registry(here).register(folder, "Dr A", "trained", title="Second reader, 2026")
    archive = export_version(version, tmp_path / "titled.pathview-model", "Here", here)
    assert archive.words.startswith("Version 1 of tiny-cnn (Second reader, 2026), signed")
    found = import_archive(tmp_path / "titled.pathview-model", there, "Dr B", archive.fingerprint)
    assert found.words == "version 1 of tiny-cnn (Second reader, 2026)"


def test_that_an_archive_of_before_there_were_titles_is_read(file: Path, here: Settings) -> None:
    def without(entries):
        found = dict(entries)
        listed = json.loads(found["contents.json"])
        del listed["title"]
        found["contents.json"] = json.dumps(listed).encode()
        found["contents.sig"] = MachineKey(here).sign(found["contents.json"]).encode()
        return found.items()

    assert read_archive(rewritten(file, without), here).contents.title == ""


def test_that_a_model_comes_over_to_the_byte_after_its_key_was_trusted(
    file: Path, here: Settings, there: Settings
) -> None:
    with pytest.raises(UnknownKey, match=r"'Pathology, Ä' with the key .* Nobody here trusts this key yet") as unknown:
        import_archive(file, there, "Dr B")
    assert no_version(there)
    version = import_archive(file, there, "Dr B", trusting=unknown.value.archive.fingerprint.upper())
    theirs = Registry(here).version("tiny-cnn", 1).folder
    for name in (MANIFEST, WEIGHTS, SEEN):
        assert (version.folder / name).read_bytes() == (theirs / name).read_bytes()
    assert version.registered.key == MachineKey(here).public
    assert Registry(there).present("tiny-cnn") is None
    card = (version.folder / CARD).read_text()
    assert card.startswith("# Tiny, seed 1")
    assert "imported. Version 1 of tiny-cnn" in card
    assert read_archive(file, there).trusted


def test_that_the_fingerprint_of_another_key_trusts_nothing(file: Path, there: Settings) -> None:
    with pytest.raises(UnknownKey):
        import_archive(file, there, "Dr B", trusting=fingerprint("ab" * 32))
    assert no_version(there)
    assert not is_trusted(read_archive(file, there).contents.key, there)


def test_that_ones_own_archive_needs_no_trust(file: Path, here: Settings) -> None:
    assert read_archive(file, here).trusted
    assert import_archive(file, here, "Dr A").number == 1


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, SEEN, CARD, "contents.json", "contents.sig"])
def test_that_a_flipped_bit_anywhere_is_refused(file: Path, there: Settings, name: str) -> None:
    def flip(entries):
        return [(n, c[:-2] + bytes([c[-2] ^ 1]) + c[-1:] if n == name else c) for n, c in entries]

    with pytest.raises(ModelError, match=r"changed.pathview-model is not imported: its "):
        import_archive(rewritten(file, flip), there, "Dr B")
    assert no_version(there)


def test_that_a_forged_list_with_right_hashes_is_refused(file: Path, there: Settings) -> None:
    def forge(entries):
        content = json.loads(dict(entries)["contents.json"])
        content["owner"] = "Somebody else"
        return [(n, json.dumps(content).encode() if n == "contents.json" else c) for n, c in entries]

    with pytest.raises(ModelError, match="its signature does not hold"):
        import_archive(rewritten(file, forge), there, "Dr B")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda e: [x for x in e if x[0] != "contents.sig"], "it is not signed"),
        (lambda e: [x for x in e if x[0] != WEIGHTS], f"it has no {WEIGHTS}"),
        (lambda e: [x for x in e if x[0] != CARD], "its files are not those that were signed"),
        (lambda e: [*e, ("../../evil.py", b"x")], "it holds 'evil.py', which does not belong"),
        (lambda e: [*e, ("/etc/evil", b"x")], "it holds 'evil', which does not belong"),
        (lambda e: [*e, ("weights.pkl", b"x")], "it holds 'weights.pkl', which does not belong"),
        (lambda e: [*e, ("reference.json", b"{}")], "its files are not those that were signed"),
    ],
)
def test_that_an_archive_of_other_files_is_refused(file: Path, there: Settings, change, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        import_archive(rewritten(file, change), there, "Dr B")
    assert no_version(there)
    assert not list(there.data_dir.parent.rglob("evil*"))


def test_that_a_file_twice_is_refused(file: Path, there: Settings) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        changed = rewritten(file, lambda entries: [*entries, (WEIGHTS, b"other")])
    with pytest.raises(ModelError, match="does not belong"):
        import_archive(changed, there, "Dr B")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + b"\0" * 100])
def test_that_what_is_no_archive_is_refused(tmp_path: Path, there: Settings, content: bytes) -> None:
    path = tmp_path / "x.pathview-model"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x.pathview-model is not imported: it is no archive"):
        import_archive(path, there, "Dr B")


def test_that_a_cut_off_archive_is_refused_at_every_length(file: Path, there: Settings) -> None:
    whole = file.read_bytes()
    cut = file.with_name("cut.pathview-model")
    for length in range(0, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut.pathview-model is not imported"):
            read_archive(cut, there)


def test_that_a_model_of_another_name_than_signed_is_refused(here: Settings, there: Settings, tmp_path: Path) -> None:
    other = write_numbers_model(tmp_path / "other", 2, tiny_cnn_recipe(name="other-cnn"))
    version = Registry(here).register(other, "Dr A", "trained")
    path = tmp_path / "o.pathview-model"
    export_version(version, path, "", here)

    def rename(entries):
        contents = json.loads(dict(entries)["contents.json"]) | {"name": "tiny-cnn"}
        listed = json.dumps(contents).encode()
        signed = {"contents.json": listed, "contents.sig": MachineKey(here).sign(listed).encode()}
        return [(name, signed.get(name, content)) for name, content in entries]

    changed = rewritten(path, rename)
    with pytest.raises(ModelError, match="by another name than its manifest"):
        import_archive(changed, there, "Dr B", trusting=read_archive(changed, there).fingerprint)


def test_that_a_version_that_is_not_whole_is_not_exported(here: Settings, tmp_path: Path) -> None:
    version = Registry(here).register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    (version.folder / SEEN).write_text("{}")
    with pytest.raises(ModelError, match="not the one that was registered"):
        export_version(version, tmp_path / "out.pathview-model", "", here)
    assert not list(tmp_path.glob("*.pathview-model*"))


def test_that_an_export_takes_no_files_place(file: Path, here: Settings) -> None:
    before = file.read_bytes()
    with pytest.raises(OutputError, match="is there already"):
        export_version(Registry(here).version("tiny-cnn", 1), file, "", here)
    assert file.read_bytes() == before


def test_that_the_machines_key_is_made_once_and_for_its_owner_alone(here: Settings) -> None:
    key = MachineKey(here)
    assert MachineKey(here).public == key.public
    path = next(keys_dir(here).glob("*.pem"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signature = key.sign(b"content")
    assert is_signed(b"content", signature, key.public)
    assert not is_signed(b"Content", signature, key.public)
    assert not is_signed(b"content", "no hex", key.public)
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        MachineKey(here)
