"""Where a data file is: the folder SPIKESEQ_DATA, then the user's cache, then a download into that cache."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from spikeseq.errors import DataError

ENVIRONMENT_VARIABLE = "SPIKESEQ_DATA"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, found at <folder>/<dataset>/<name>.

    checksum       "md5:..." or "sha256:..." of the content, after decompression when the name ends in .gz: another gzip
                   wrapper round the same bytes is the same data. None: nobody has published one (see ``download``)
    size           content, bytes; None: not known
    url            None: cannot be downloaded
    served         checksum of the file as the url serves it; None as above
    alternatives   names of other files that would do as well; for the message when it is missing
    """

    dataset: str
    name: str
    checksum: str | None
    size: int | None = None
    url: str | None = None
    served: str | None = None
    alternatives: tuple[str, ...] = ()


def cache_folder() -> Path:
    """Return the user's cache folder for spikeseq; it need not exist."""
    import pooch

    return Path(pooch.os_cache("spikeseq"))


def data_folders() -> list[Path]:
    """Return the folders to look in, first one first; DataError when SPIKESEQ_DATA is set to something else."""
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if not given:
        return [cache_folder()]
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise DataError(f"{ENVIRONMENT_VARIABLE}={given!r} is not a folder; correct it, or unset it to use the cache")
    return [folder, cache_folder()]


def find(file: DataFile) -> Path | None:
    """Return where the file is on this machine; None when it is nowhere."""
    paths = (folder / file.dataset / file.name for folder in data_folders())
    return next((path for path in paths if path.is_file()), None)


def locate(file: DataFile) -> Path:
    """Return where the file is, after a download if need be; DataError says where it looked and what to do."""
    found = find(file)
    if found is not None:
        return found
    if file.url is None:
        raise _missing(file, "there is no address to download it from")
    try:
        return download(file)
    except (OSError, ValueError) as error:
        raise _missing(file, f"the download from {file.url} failed: {type(error).__name__}: {error}") from error


def download(file: DataFile) -> Path:
    """Download the file into the cache and return its path.

    pooch writes to a temporary file, compares the checksum and only then renames: an interrupted or wrong download
    leaves nothing behind. A file without a published checksum must be a complete zip archive; its sha256 is recorded
    beside it in <name>.sha256, and every later load is checked against that record.

    Raises OSError (network, disk) or ValueError (wrong content).
    """
    import pooch

    folder = cache_folder() / file.dataset
    fetch = None if file.served else _fetch_zip
    path = Path(pooch.retrieve(file.url, known_hash=file.served, fname=file.name, path=folder, downloader=fetch))
    if file.served is None:
        record_path(path).write_text(f"sha256:{pooch.file_hash(str(path))}\n", encoding="ascii")
    return path


def record_path(path: Path) -> Path:
    """Return where the sha256 of a downloaded file without a published checksum is recorded."""
    return path.with_name(path.name + ".sha256")


def _fetch_zip(url: str, output_file: str, pooch_instance: object) -> None:
    import pooch

    pooch.HTTPDownloader()(url, output_file, pooch_instance)
    if not zipfile.is_zipfile(output_file):
        raise ValueError("what came is not a complete zip archive")


def _missing(file: DataFile, why: str) -> DataError:
    wanted = f"{file.dataset}/{' or '.join((file.name, *file.alternatives))}"
    environment = "" if os.environ.get(ENVIRONMENT_VARIABLE) else f" ({ENVIRONMENT_VARIABLE} is not set)"
    return DataError(
        f"data set {file.dataset!r}: {file.name} not found. Looked in "
        f"{', '.join(str(folder / file.dataset) for folder in data_folders())}{environment}; {why}. "
        f"Remedy: set {ENVIRONMENT_VARIABLE} to a folder that holds {wanted}"
        f"{', or go online' if file.url else ''}, or use data=digits, which needs no files"
    )
