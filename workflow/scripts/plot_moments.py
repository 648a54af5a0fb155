"""Draw mean and variance of closed-form samples over the generations (they are numbers: there are no images to show).

Example:
    python workflow/scripts/plot_moments.py --samples results/gen{0,1,2,3}/samples/part-0000.npy \\
        --generations 0 1 2 3 --output results/figures/moments.png results/figures/moments.svg
"""

import numpy as np
from _stage import parser, stage

from selfloop.curves import moments
from selfloop.errors import UserError
from selfloop.samples import read_samples
from selfloop.style import save, style
from selfloop.training_set import replicate_rows


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--samples", required=True, nargs="+", help="one float64 N x d .npy per generation")
    options.add_argument("--generations", required=True, nargs="+", type=int, help="their generations")
    options.add_argument("--output", required=True, nargs="+", help=".png, .svg or .pdf files")
    args = options.parse_args()
    if len(args.samples) != len(args.generations):
        raise UserError(f"{len(args.samples)} files for {len(args.generations)} --generations; one each")
    found = [replicate_moments(path) for path in args.samples]
    if len({mean.shape for mean, _ in found}) != 1:
        raise UserError("the generations differ in their number of replicates or dimensions")
    mean, variance = (np.stack(values) for values in zip(*found, strict=True))
    with style():
        figure = moments(np.array(args.generations), mean, variance)
        for path in args.output:
            save(figure, path)


def replicate_moments(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance (ddof = 0), float64 R x d each, of one file of samples."""
    values, table = read_samples(path)
    if values.dtype != np.float64 or values.ndim != 2:
        raise UserError(f"{path}: {values.dtype} of {values.ndim} dimensions; moments are of float64 N x d samples")
    groups = [values[rows] for rows in replicate_rows(table)]
    return np.stack([g.mean(axis=0) for g in groups]), np.stack([g.var(axis=0) for g in groups])


if __name__ == "__main__":
    stage(main)
