from pathlib import Path

import pytest

from extproc.errors import KeyFileError
from extproc.evidence.key_files import create_key_file, read_key_file


def test_what_was_written_is_read(tmp_path: Path) -> None:
    create_key_file(tmp_path / "key", b"content")
    assert read_key_file(tmp_path / "key") == b"content"


def test_of_two_that_make_the_same_file_one_wins(tmp_path: Path) -> None:
    create_key_file(tmp_path / "key", b"first")
    with pytest.raises(FileExistsError):
        create_key_file(tmp_path / "key", b"second")
    assert (read_key_file(tmp_path / "key"), list(tmp_path.iterdir())) == (b"first", [tmp_path / "key"])


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"cannot be read \(Is a directory\)"):
        read_key_file(tmp_path)
