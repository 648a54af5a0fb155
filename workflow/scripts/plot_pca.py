"""Draw the samples of several generations on the first two principal components of the real data, a row per arm.

Example:
    python workflow/scripts/plot_pca.py --space pixels --seed 0 --output results/figures/pca.png --chains '[
        {"arm": "main", "n": 600, "real": "results/gen0/embeddings/pixels/part-0000.parquet", "generations": {
            "1": "results/gen1/embeddings/pixels/part-0000.parquet",
            "5": "results/gen5/embeddings/pixels/part-0000.parquet"}}]'

The components are fitted on all real items of the arm; the first --points of them are drawn, and as many of the first n
samples of each generation.
"""

import json

from _stage import parser, stage

from selfloop.embedded import check_same_space, read_embedded
from selfloop.errors import UserError
from selfloop.principal import Cloud, fit, scatter
from selfloop.style import count, save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--chains", required=True, type=json.loads, help="JSON: list of {arm, n, real, generations}")
    options.add_argument("--space", required=True, help="name of the feature space")
    options.add_argument("--seed", required=True, type=int, help="of the chains, for the title")
    options.add_argument("--points", type=int, default=1000, help="real items and samples drawn, the first (1000)")
    options.add_argument("--output", required=True, nargs="+", help=".png, .svg or .pdf files")
    args = options.parse_args()
    if args.points < 1:
        raise UserError(f"--points is {args.points}, at least 1 is needed")
    cache, components = {}, {}
    clouds = [cloud(chain, args.points, cache, components) for chain in args.chains]
    real = max(len(c.real) for c in clouds)
    samples = max(len(points) for c in clouds for points in c.generations.values())
    subtitle = (f"pale: {count(real)} real training items, dark: {count(samples)} samples; space: {args.space}, seed "
                f"{args.seed}; at the axes: share of the real items' variance")  # fmt: skip
    with style():
        figure = scatter(clouds, subtitle)
        for path in args.output:
            save(figure, path)


def cloud(chain: dict, points: int, cache: dict, components: dict) -> Cloud:
    """Project what one arm shows; ``cache`` and ``components`` keep what arms have in common."""
    path = chain["real"]
    real = read_embedded([path], cache)
    if path not in components:
        components[path] = fit(real.features, path)
    on, generations = components[path], {}
    for g, samples_path in chain["generations"].items():
        samples = read_embedded([samples_path])
        check_same_space(real, samples, path, samples_path)
        generations[int(g)] = on.project(samples.features[: min(points, chain["n"])])
    return Cloud(chain["arm"], on.share, on.project(real.features[:points]), generations)


if __name__ == "__main__":
    stage(main)
