"""Join the shards of one generation's samples, or of its embeddings, into the one file that the next stages read."""

from pathlib import Path

from _stage import parser, stage


def main():
    p = parser(__doc__)
    p.add_argument(
        "--shards", nargs="+", required=True, help="the shards in order: .npy samples or .parquet embeddings"
    )
    p.add_argument("--output", nargs="+", required=True, help="part-0000.npy (its table is written beside it), or one "
                   "part-0000.parquet for each feature space, whose shards lie in a folder beside it")  # fmt: skip
    a = p.parse_args()

    import numpy as np
    import pyarrow as pa

    from selfloop.contracts import embedding_column, features
    from selfloop.files import read_table, table_metadata, write_array, write_table
    from selfloop.samples import read_samples

    for output in map(Path, a.output):
        shards = [path for path in map(Path, a.shards) if path.parent.parent == output.parent]
        if output.suffix == ".npy":
            values, tables = zip(*map(read_samples, shards), strict=True)
            write_array(output, np.concatenate(values))
            kind = "samples"
        else:
            tables, kind = [read_table(path, "embeddings") for path in shards], "embeddings"
        metadata = {key: text for key, text in table_metadata(tables[0]).items() if key not in ("kind", "version")}
        table = pa.concat_tables(tables)
        if kind == "embeddings":  # Parquet gives the list's values another field name; unsharded bytes have Arrow's
            place = table.column_names.index("embedding")
            table = table.set_column(place, "embedding", embedding_column(features(table)))
        write_table(output.with_suffix(".parquet"), table, kind, metadata)


if __name__ == "__main__":
    stage(main)
