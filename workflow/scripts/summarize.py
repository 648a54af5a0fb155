"""Summarise metrics.csv over seeds: means, and differences from a control arm within each seed, with intervals.

Example:
    python workflow/scripts/summarize.py --metrics results/metrics.csv --control main \\
        --output results/summary.csv --page results/summary.html
"""

from _stage import parser, stage

from selfloop.files import atomic
from selfloop.metrics_table import read_metrics
from selfloop.summary import page, summarise, write_summary


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--metrics", required=True, help="metrics.csv")
    options.add_argument("--control", default="main", help="arm that the others are compared with (main)")
    options.add_argument("--output", required=True, help="summary.csv to write")
    options.add_argument("--page", required=True, help="summary.html to write: the last generation")
    args = options.parse_args()
    entries = summarise(read_metrics(args.metrics), args.control)
    text = page(entries)
    write_summary(args.output, entries)
    with atomic(args.page) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    stage(main)
