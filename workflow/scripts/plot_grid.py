"""Draw the first images of one generation as a grid.

Example:
    python workflow/scripts/plot_grid.py --samples results/gen3/samples/part-0000.npy --images 64 \\
        --title 'main, generation 3' --output results/figures/grid_g3.png
"""

from _stage import parser, stage

from selfloop.errors import UserError
from selfloop.figures import check_images, sample_grid
from selfloop.files import read_array
from selfloop.style import count, save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--samples", required=True, help="uint8 N x C x H x W .npy")
    options.add_argument("--images", type=int, default=64, help="how many, from the first on (default 64)")
    options.add_argument("--title", required=True, help="stands above the picture")
    options.add_argument("--output", required=True, help=".png")
    args = options.parse_args()
    if args.images < 1:
        raise UserError(f"--images is {args.images}, at least 1 is needed")
    images = check_images(read_array(args.samples), args.samples)
    shown = images[: args.images]
    with style():
        subtitle = f"the first {count(len(shown))} of {count(len(images))} images"
        save(sample_grid(shown, args.title, subtitle), args.output)


if __name__ == "__main__":
    stage(main)
