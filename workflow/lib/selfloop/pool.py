"""The selection rule run on a pool: once, or once per replicate for rules that do not group by themselves."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from selfloop.files import read_table, sha256, write_table
from selfloop.seeds import derive
from selfloop.selector import run_selector
from selfloop.training_set import replicate_rows

# A rule whose file has this line is called once with all replicates and chooses n of each.
_GROUPS = re.compile(r"selfloop: groups by replicate")


def run_rule(
    script: str, pool_files: Sequence[str], reference_files: Sequence[str], n: int | str, seed: int, params: Mapping,
    pool: pa.Table, folder: Path,
) -> tuple[pa.Table, dict]:  # fmt: skip
    """Run the rule and return (one row per candidate in pool order, metadata); UserError says what a wrong answer has.

    ``pool`` has the training-set rows of the candidates, ``folder`` is where temporary files may lie.
    """
    groups = replicate_rows(pool)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".select-", dir=folder) as temporary:
        if len(groups) == 1 or _GROUPS.search(Path(script).read_text(encoding="utf-8", errors="replace")):
            answer = run_selector(
                script, pool_files, reference_files, n, seed, params, Path(temporary, "answer.parquet")
            )
        else:
            answer = _one_by_one(script, pool_files, reference_files, n, seed, params, groups, Path(temporary))
    return answer, {"script": script, "script_sha256": sha256(script), "params": dict(params), "seed": seed}


def _one_by_one(script, pool_files, reference_files, n, seed, params, groups, folder) -> pa.Table:
    pool = pa.concat_tables([read_table(path, "embeddings") for path in pool_files])
    reference = pa.concat_tables([read_table(path, "embeddings") for path in reference_files])
    reference_groups = replicate_rows(reference)
    answers = []
    for k, rows in enumerate(groups):
        own_reference = reference_groups[k if len(reference_groups) == len(groups) else 0]
        files = {"pool": pool.take(rows), "reference": reference.take(own_reference)}
        for name, table in files.items():
            write_table(folder / f"{name}.parquet", table, "embeddings")
        answers.append(run_selector(script, [folder / "pool.parquet"], [folder / "reference.parquet"], n,
                                    derive(seed, "replicate", k), params, folder / "answer.parquet"))  # fmt: skip
    return pa.concat_tables(answers).take(np.argsort(np.concatenate(groups)))
