"""The graph of notebooks; the list itself is `pasdedeux.engine.notebooks.NOTEBOOKS`.

    make reproduce PROFILE=laptop                          this machine
    snakemake --cores 2 --config profile=laptop            the same by hand
    snakemake --cores 8 --resources gpu=2 --config profile=gpu     at most two accelerators at once
    snakemake --executor slurm --jobs 8 --config profile=gpu --default-resources \
        slurm_account=NAME slurm_partition=NAME            a cluster; one accelerator where listed
    snakemake --cores 2 --config 'parameters={"20_fusiongan": {"seed": 3}}'      other parameters

An edited library file, notebook or parameter re-runs exactly what depends on it.
"""

import sys

from pasdedeux.engine import graph
from pasdedeux.engine.notebooks import NOTEBOOKS, ordered

PROFILE = config.get("profile", "quick")
SIDE_BY_SIDE = (workflow.cores or 1) >= 2 * min(notebook.cores for notebook in NOTEBOOKS)
LOOK = "--plain" if SIDE_BY_SIDE else ""  # bars of several notebooks would fight for one line


rule all:
    input:
        [graph.stamp(notebook, PROFILE) for notebook in NOTEBOOKS],
        [path for notebook in NOTEBOOKS for path in graph.outputs(notebook, PROFILE)],
    default_target: True
    message:
        f"all notebooks at profile {PROFILE}"


# Results are `update`d: Snakemake would otherwise delete the last good ones before a run that may
# fail. The stamp is what is missing where this machine has not run a notebook yet.
for notebook in ordered():
    recorded = graph.parameters(notebook, config)

    rule:
        name:
            notebook.name
        input:
            graph.inputs(notebook, PROFILE),
        output:
            touch(graph.stamp(notebook, PROFILE)),
            *[update(path) for path in graph.outputs(notebook, PROFILE)],
        params:
            recorded=recorded,
            words=graph.words(notebook, recorded),
        threads: notebook.cores
        resources:
            **graph.resources(notebook, PROFILE),
        message:
            f"{notebook.name} at profile {PROFILE}"
        shell:
            "{sys.executable:q} -m pasdedeux.cli run {params.words} {LOOK}"
