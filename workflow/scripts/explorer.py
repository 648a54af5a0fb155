"""Make explorer.html, one page to look at a run: images, nearest training images and curves by arm, seed, generation.

Example:
    python workflow/scripts/explorer.py --metrics results/metrics.csv --page workflow/resources/explorer/* \\
        --output results/explorer.html --chains '[{"arm": "main", "seed": 0, "about": "", "evaluated": 600,
        "pictured": [0, 1, 2], "samples": {"0-2": "results/gen*/samples/part-0000.npy"},
        "training_set": {"1-2": "results/gen*/training_set.parquet"}, "fresh": {},
        "tracked": {"1-2": "results/figures/tracked/gen*.npy"}}]'
"""

from pathlib import Path

from _stage import parser, stage

from selfloop.explorer import check_size, fill, fits, page_data, read_chains, room, sheet_key, thin
from selfloop.files import atomic, read_array, read_table
from selfloop.metrics_table import Table, read_metrics
from selfloop.pictures import Amounts, compressed_share, pictures, sheet
from selfloop.samples import gather, read_samples


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--metrics", required=True, help="metrics.csv")
    options.add_argument("--chains", required=True, help="JSON, a list of chains and their files (selfloop.explorer)")
    options.add_argument("--rows", type=int, default=12, help="samples of the same seeds, at most (default 12)")
    options.add_argument("--images", type=int, default=64, help="first samples of a generation, at most (default 64)")
    options.add_argument("--pairs", type=int, default=10, help="pairs in each of three groups, at most (default 10)")
    options.add_argument("--limit-mb", type=float, default=10, help="size of the page, MB (default 10)")
    options.add_argument("--page", nargs="+", required=True, help="the page's own files: page.html and what it names")
    options.add_argument("--output", required=True, help=".html")
    args = options.parse_args()
    table, chains = Table.of(read_metrics(args.metrics)), read_chains(args.chains)
    left = room(fill(args.page, page_data(table, chains, [], [{} for _ in chains])), args.limit_mb)
    imaged = [chain for chain in chains if chain["pictured"]]
    shapes = [read_array(chain["samples"][0]).shape[1:] for chain in imaged]
    ends = {chain["samples"][g] for chain in imaged for g in (0, chain["pictured"][-1])}
    share = compressed_share([read_array(path)[:64] for path in ends]) if ends else 1
    wanted = Amounts(args.rows, args.images, args.pairs)
    for size in sorted({share, 1}):  # as images of the run are compressed; if others are not, as if none were
        pictured, amounts = thin(chains, shapes, wanted, left / size)
        page = fill(args.page, page_data(table, chains, *sheets(chains, pictured, amounts)))
        if fits(page, args.limit_mb):
            break
    with atomic(Path(args.output)) as temporary:
        temporary.write_text(check_size(page, args.limit_mb), encoding="utf-8")


def sheets(chains: list[dict], pictured: list[list[int]], amounts: Amounts) -> tuple[list[dict], list[dict]]:
    """Return the sheets of all chains, and for each chain the position of its sheet by generation."""
    made, places, position = [], [], {}
    for chain, generations in zip(chains, pictured, strict=True):
        for g in generations:
            key = sheet_key(chain, g)
            if key not in position:
                position[key] = len(made)
                made.append(sheet(of_generation(chain, g, amounts)))
        places.append({g: position[sheet_key(chain, g)] for g in generations})
    return made, places


def of_generation(chain: dict, g: int, amounts: Amounts):
    """Read the images of one generation of a chain and choose from them."""
    samples, _ = read_samples(chain["samples"][g])
    if g == 0:
        return pictures(None, samples, None, 0, amounts)
    training_set = read_table(chain["training_set"][g], "training_set")
    generations = training_set["generation"].unique().to_pylist()
    files = [chain["samples"][k] for k in sorted(generations)]
    files += [path for k, path in chain["fresh"].items() if k == g]
    tracked = read_array(chain["tracked"][g]) if g in chain["tracked"] else None
    return pictures(tracked, samples, gather(training_set, files), chain["evaluated"], amounts)


if __name__ == "__main__":
    stage(main)
