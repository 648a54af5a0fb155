"""Draw one named figure of metrics.csv: fd, gs, entropy, real_share (over the generations), entropy_gs, trace_gs.

Example:
    python workflow/scripts/plot_figure.py --figure gs --metrics results/metrics.csv --output results/figures/gs.svg

Curves of arXiv 2509.16499 stand beside the arms that they agree with: --paper names settings of the column `setting`
of --paper-curves, --arms says what each arm is (selfloop.paper.describe).
"""

import json

from _stage import parser, stage

from selfloop.against import AGAINST, one_against_another
from selfloop.files import read_json
from selfloop.metrics_table import Table, read_metrics
from selfloop.over_generations import OVER_GENERATIONS, over_generations
from selfloop.paper import Overlay, read_curves
from selfloop.style import save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--figure", required=True, choices=[*OVER_GENERATIONS, *AGAINST])
    options.add_argument("--metrics", required=True, help="metrics.csv")
    options.add_argument("--fid", help="a fid.json of the run: says whether the first distance is an FID")
    options.add_argument("--fid-space", help="the feature space of --fid")
    options.add_argument("--paper", nargs="*", default=[], metavar="SETTING", help="of --paper-curves")
    options.add_argument("--paper-curves", help="the paper's curves, a CSV file")
    options.add_argument("--arms", type=json.loads, default={}, metavar="JSON", help="arm -> what it is")
    options.add_argument("--output", required=True, nargs="+", help=".png, .svg or .pdf files")
    args = options.parse_args()
    table = Table.of(read_metrics(args.metrics))
    with style():
        if args.figure in AGAINST:
            figure = one_against_another(table, args.figure)
        else:
            overlay = Overlay(read_curves(args.paper_curves, args.paper) if args.paper else (), args.arms)
            labels = {args.fid_space: read_json(args.fid)["label"]} if args.fid and args.figure == "fd" else {}
            figure = over_generations(table, args.figure, overlay, labels)
        for path in args.output:
            save(figure, path)


if __name__ == "__main__":
    stage(main)
