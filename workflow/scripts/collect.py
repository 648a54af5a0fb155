"""Gather the metrics.json files of all chains into one tidy metrics.csv.

Example:
    python workflow/scripts/collect.py --output results/metrics.csv --chains '[
        {"arm": "main", "seed": 0, "generation": [1, 10], "path": "results/gen*/metrics.json"},
        {"arm": "greedy", "seed": 0, "generation": 1, "path": "results/gen1/metrics.json"},
        {"arm": "greedy", "seed": 0, "generation": [2, 10], "path": "results/greedy/gen*/metrics.json"}]'
"""

from _stage import parser, stage

from selfloop.collect import chain_files, metric_rows, write_metrics


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--chains", required=True, help="JSON, or a file of it: list of {arm, seed, generation, path}")
    options.add_argument("--output", required=True, help="metrics.csv; rows in the order of --chains")
    args = options.parse_args()
    rows = [row for source in chain_files(args.chains) for row in metric_rows(*source)]
    write_metrics(args.output, rows)


if __name__ == "__main__":
    stage(main)
