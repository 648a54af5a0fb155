"""Draw the same rows of every generation side by side: one row per sample, one column per generation.

Example:
    python workflow/scripts/plot_evolution.py --samples results/gen{0,1,2,3}/samples/part-0000.npy \\
        --generations 0 1 2 3 --rows 12 --title main --output results/figures/evolution.png

Generation 0 is real images. Rows are said to be the same seeds only if the tables beside the .npy files
(part-0000.parquet) show that they are; otherwise they are samples at the same position.
"""

from pathlib import Path

from _stage import parser, stage

from selfloop.errors import UserError
from selfloop.figures import check_images, evolution
from selfloop.files import read_array, read_table
from selfloop.style import save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--samples", required=True, nargs="+", help="one .npy per generation, real images first")
    options.add_argument("--generations", required=True, nargs="+", type=int, help="their generations")
    options.add_argument("--rows", type=int, default=12, help="the first this many samples (default 12)")
    options.add_argument("--title", required=True, help="stands above the picture")
    options.add_argument("--output", required=True, nargs="+", help=".png, .svg or .pdf files")
    args = options.parse_args()
    if len(args.samples) != len(args.generations) or len(args.samples) < 2:
        raise UserError(f"{len(args.samples)} files for {len(args.generations)} --generations; two or more, one each")
    columns = [check_images(read_array(path), path) for path in args.samples]
    rows = min(args.rows, *map(len, columns))
    if rows < 1:
        raise UserError(f"--rows is {args.rows}, at least 1 is needed")
    columns = [column[:rows] for column in columns]
    what = "seed" if same_seeds(args.samples[1:], rows) else "place among the samples"
    names = ["real" if g == 0 else str(g) for g in args.generations]
    subtitle = f"rows: the same {what}; columns: generations (the first {rows} real images, not the rows' partners)"
    with style():
        figure = evolution(columns, names, [str(row) for row in range(rows)], args.title, subtitle)
        for path in args.output:
            save(figure, path)


def same_seeds(paths: list[str], rows: int) -> bool:
    """Return whether the first ``rows`` samples of all files were drawn from the same seeds."""
    tables = [read_table(Path(path).with_suffix(".parquet"), "samples", ["seed"])[:rows] for path in paths]
    return all(table.equals(tables[0]) for table in tables) and tables[0]["seed"].null_count == 0


if __name__ == "__main__":
    stage(main)
