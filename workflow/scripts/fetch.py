"""Download a data set or weights, once, on a machine with a network; no other stage uses one."""

from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument("--name", required=True, help="what to fetch, a name in workflow/lib/selfloop/sources.py")
    p.add_argument("--folder", required=True, help="the files come to FOLDER/NAME/")
    p.add_argument("--mirror", help="address that has the same files as MIRROR/NAME/FILE; left out: their publishers'")
    a = p.parse_args()

    from selfloop.errors import UserError
    from selfloop.fetch import fetch
    from selfloop.sources import FOLDER, SOURCES

    if a.name not in SOURCES:
        raise UserError(f"--name: {a.name} is none of {', '.join(SOURCES)}")
    source, folder = SOURCES[a.name], Path(a.folder, a.name)
    for remote in source.files:
        url = f"{a.mirror.rstrip('/')}/{a.name}/{remote.file}" if a.mirror else None
        new = fetch(remote, folder, url)
        print(f"{folder / remote.file}: {'fetched' if new else 'there already'}, {remote.size:,} bytes, SHA-256 as "
              f"published")  # fmt: skip
    found = "finds them there" if Path(a.folder) == Path(FOLDER) else f"finds them with {source.parameter} set"
    print(f"fetch_{a.name}: licence of the files: {source.licence}. {source.plugin} {found}")


if __name__ == "__main__":
    stage(main)
