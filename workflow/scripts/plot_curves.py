"""Draw every metric of metrics.csv over the generations, all arms in one picture.

Example:
    python workflow/scripts/plot_curves.py --metrics results/metrics.csv \\
        --overview results/figures/curves.png results/figures/curves.svg --folder results/figures/curves
"""

from pathlib import Path

from _stage import parser, stage

from selfloop.curves import one_metric, overview
from selfloop.metric_words import words
from selfloop.metrics_table import Table, read_metrics
from selfloop.style import save, style


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--metrics", required=True, help="metrics.csv")
    options.add_argument("--overview", required=True, nargs="+", help="all metrics in one figure: .png, .svg, .pdf")
    options.add_argument("--folder", required=True, help="gets <metric>.<format> for every metric")
    options.add_argument("--formats", nargs="+", default=["png", "svg"], help="of the single metrics (png svg)")
    args = options.parse_args()
    table = Table.of(read_metrics(args.metrics))
    with style():
        figure = overview(table)
        for path in args.overview:
            save(figure, path)
        for metric in dict.fromkeys(panel.metric for panel in table.panels if words(panel.metric).single):
            figure = one_metric(table, metric)
            for ending in args.formats:
                save(figure, Path(args.folder) / f"{metric}.{ending}")


if __name__ == "__main__":
    stage(main)
