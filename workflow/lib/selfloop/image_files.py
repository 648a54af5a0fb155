"""Images in a folder, in a zip archive or in Parquet files, in sorted order."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from selfloop.errors import UserError
from selfloop.images import EncodedImages
from selfloop.parquet_images import image_column, parquet_files, parquet_split, rows

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def images_in(folder: Path) -> list[Path]:
    """Return the image files that lie in a folder, sorted by name; hidden ones are passed over."""
    return [child for child in visible(folder) if child.suffix.lower() in SUFFIXES and child.is_file()]


def images_under(folder: Path) -> list[Path]:
    """Return the image files of a folder and of all folders in it, each folder's own first."""
    children = [child for child in visible(folder) if child.suffix.lower() not in SUFFIXES and child.is_dir()]
    return images_in(folder) + [file for child in children for file in images_under(child)]


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted by name, without hidden files."""
    return sorted((child for child in folder.iterdir() if not child.name.startswith(".")), key=lambda c: c.name)


def file_images(folder: Path, files: Sequence[Path], **settings) -> EncodedImages:
    """Return the images of these files, named by their place in the folder; ``settings`` are EncodedImages'."""

    def read(positions):
        return ((str(files[i].relative_to(folder)), files[i]) for i in positions)

    return EncodedImages(len(files), read, where=str(folder), **settings)


def count_images(path: str) -> int:
    """Return the number of images at ``path`` (as in `find_images`), without reading any."""
    kind, names = _at(path)
    return rows(names) if kind == "parquet" else len(names)


def find_images(path: str, **settings) -> EncodedImages:
    """Return the images at ``path``, whatever they lie in; ``settings`` are those of EncodedImages.

    A folder, in which all folders are searched; a zip archive; a folder, file or pattern of Parquet files.
    """
    kind, names = _at(path)
    if kind == "parquet":
        return parquet_split(names, image_column(names[0], ("image", "img")), None, **settings)["samples"]
    return (zip_images if kind == "zip" else file_images)(Path(path), names, **settings)


def _at(path: str) -> tuple[str, list]:
    """Return what lies at a path, "files", "zip" or "parquet", and its sorted names."""
    place, wanted = Path(path), "a folder of images, a .zip of them, or Parquet files"
    if place.is_dir():
        found = {"files": images_under(place), "parquet": sorted(map(str, place.rglob("*.parquet")))}
        if all(found.values()):
            raise UserError(f"{path}: images beside Parquet files; keep the one or the other")
    elif place.suffix.lower() == ".zip" and place.is_file():
        found = {"zip": zip_names(place)}
    elif place.suffix.lower() == ".zip" or (not any(sign in str(path) for sign in "*?[") and not place.exists()):
        raise UserError(f"{path}: no such file or folder; set the parameter 'path' to {wanted}")
    else:
        found = {"parquet": parquet_files(path)}
    for kind, names in found.items():
        if names:
            return kind, names
    raise UserError(f"{path}: no images in it; 'path' is {wanted}")


def zip_names(path: Path) -> list[str]:
    """Return the names of the image files in a zip archive, sorted; hidden ones and macOS's own are passed over."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: not a whole zip archive ({error})") from None
    return sorted(name for name in names if _is_image(PurePosixPath(name)))


def zip_images(path: Path, names: Sequence[str], **settings) -> EncodedImages:
    """Return the images of these names in a zip archive, read one at a time."""

    def read(positions):
        with zipfile.ZipFile(path) as archive:
            for i in positions:
                yield names[i], _member(archive, names[i])

    return EncodedImages(len(names), read, where=str(path), **settings)


def _is_image(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the bytes of a member; none, which no image decoder takes, where it is damaged."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return b""
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in a way unknown to Python
        raise UserError(f"{archive.filename}: {name}: {str(error).splitlines()[0]}") from None
