"""The results version of each stage.

A stage's integer stands in its ``params:`` (a change reruns the stage and all after it) and in its
outputs (a number can be explained a year later). Raise it when, and only when, a change to the library
or to a stage script changes results, and announce it in CHANGELOG.md.
"""

RESULTS_VERSION = {
    "data": 2,
    "train_embedder": 1,
    "train": 2,
    "sample": 3,
    "embed": 2,
    "select": 1,
    "evaluate": 2,
}
