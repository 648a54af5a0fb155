"""Draw generated images beside their nearest training image: the closest pairs, the middle ones, the farthest.

Example:
    python workflow/scripts/plot_nearest.py --samples results/gen3/samples/part-0000.npy --n 1024 \\
        --training-set results/gen3/training_set.parquet --training-samples results/gen2/samples/part-0000.npy \\
        --title 'main, generation 3' --output results/figures/nearest_g3.png

The distance is Euclidean between raw pixels (grey levels 0 to 255), over all channels; the search is exact.
"""

from _stage import parser, stage

from selfloop.errors import UserError
from selfloop.figures import Pairs, check_images, nearest_pairs, spread_ranks
from selfloop.files import read_array, read_table
from selfloop.nearest_images import nearest_images
from selfloop.samples import gather
from selfloop.style import count, save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--samples", required=True, help="the generated images: uint8 N x C x H x W .npy")
    options.add_argument("--n", type=int, help="look at the first this many of them (default all)")
    options.add_argument("--training-set", required=True, help="training_set.parquet of the same generation")
    options.add_argument("--training-samples", required=True, nargs="+", help="the .npy files that hold its items")
    options.add_argument("--pairs", type=int, default=10, help="pairs in each of the three groups (default 10)")
    options.add_argument("--title", required=True, help="stands above the picture")
    options.add_argument("--output", required=True, nargs="+", help=".png, .svg or .pdf files")
    args = options.parse_args()
    if args.pairs < 1 or (args.n is not None and args.n < 1):
        raise UserError("--pairs and --n are at least 1")
    generated = check_images(read_array(args.samples)[: args.n], args.samples)
    training = gather(read_table(args.training_set, "training_set"), args.training_samples)
    distance, nearest = nearest_images(generated, check_images(training, args.training_set))
    order = distance.argsort(kind="stable")
    groups = [
        Pairs(name, generated[order[ranks]], training[nearest[order[ranks]]], distance[order[ranks]])
        for name, ranks in spread_ranks(len(order), args.pairs).items()
    ]
    subtitle = (
        f"{count(len(generated))} samples, {count(len(training))} training images; numbers: Euclidean distance in "
        f"grey levels (mean {distance.mean():.0f})"
    )
    with style():
        figure = nearest_pairs(groups, args.title, subtitle)
        for path in args.output:
            save(figure, path)


if __name__ == "__main__":
    stage(main)
