"""The generated blocks of the pages, by name: Markdown that is made from the code at build time.

A page asks for one in a fenced block ``{generated} tasks``, some with an argument. Nothing here needs Sphinx.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from site_api import modules, public
from site_commands import commands
from site_fields import fields, record
from site_markdown import escaped, table
from site_plugins import model_costs, model_libraries, model_reference, models, task_reference, tasks


def suites() -> str:
    """The sweeps that come with the package."""
    from nacbench.sweep.plan import counts_of
    from nacbench.sweep.read_sweep import read_sweep
    from nacbench.sweep.read_sweep import suites as names

    rows = []
    for name in names():
        sweep = read_sweep(name)
        wanted, extra = counts_of(sweep)
        rows.append([f"`{name}`", str(wanted), f"+ {extra}" if extra else "", escaped(sweep.description)])
    return table(["suite", "runs", "train these", "what"], rows, right=[1, 2])


def claims() -> str:
    """The paper's claims with the bar that decides each."""
    from nacbench.reporting.paper.claims import Better, Competitive
    from nacbench.reporting.paper.read_claims import read_claims

    rows = []
    for claim in read_claims().claims:
        if isinstance(claim, Better):
            least = f"score − {claim.baseline}'s > {100 * claim.bar:g} points"
            bar = f"{least}, in an interval that reaches {100 * claim.claimed:g} or more"
        elif isinstance(claim, Competitive):
            bar = f"score − {claim.baseline}'s > −{100 * claim.within:g} points"
        else:
            gain, loss = claim.gain, claim.loss
            bar = f"{gain.metric} > {gain.at_least:g} and {loss.metric} < {100 * loss.at_most:g} %, in the same runs"
        tasks = " or ".join(f"`{task}`" for task in (claim.task, *claim.stand_ins))
        rows.append([f"`{claim.name}`", escaped(f"NAC {claim.says}"), tasks, escaped(bar)])
    return table(["claim", "it says", "task, or stand-ins", "reproduced if surely"], rows)


def published() -> str:
    """The published figures with their conditions, and those that are not shown."""
    from nacbench.reporting.paper.published import read_published

    content = read_published()
    rows = []
    for figure in content.figures:
        source, conditions = content.sources[figure.source], content.conditions_of(figure)
        quality = "" if source.quality == "primary" else f" ({source.quality} source)"
        about = f"not shown: {conditions.withheld}" if conditions.withheld else conditions.sentence()
        cells = [f"{source.says}{quality}", about]
        rows.append([f"`{figure.task}`", escaped(figure.label), f"{100 * figure.value:.2f}", *map(escaped, cells)])
    return table(["data of", "model", "accuracy (%)", "source", "conditions"], rows, right=[2])


def corruptions() -> str:
    """The names of the corruptions, in one sentence."""
    from nacbench.data.images.corruptions.portions import SEVERITIES
    from nacbench.data.images.corruptions.published import CORRUPTIONS, EXTRA

    names, extra = (", ".join(f"`{name}`" for name in some) for some in (CORRUPTIONS, EXTRA))
    return f"{names}; severities {SEVERITIES[0]} to {SEVERITIES[-1]}. The four extra ones are {extra}.\n"


def distributions() -> str:
    """The forms in which each data set is imported."""
    from nacbench.data.mirror.door.distribution import data_set, data_set_names

    known = [data_set(name) for name in data_set_names()]
    rows = [
        [
            escaped(own.title),
            escaped(form.title),
            ", ".join(f"`{first_pattern(form.needs[role])}`" for role in form.needs),
        ]
        for own in known
        for form in own.distributions
    ]
    return table(["data set", "form", "recognised by"], rows)


def first_pattern(patterns: str | list[str]) -> str:
    return patterns if isinstance(patterns, str) else patterns[0]


def hub_forms() -> str:
    """The forms of every data set of the hub."""
    from nacbench.data.mirror.door.hub_forms import hub_forms as forms

    own = forms("the hub", "REVISION", {"train": "data/train-*.parquet"})
    rows = [[escaped(form.title.partition(": ")[2]), f"`{first_pattern(form.needs['train'])}`"] for form in own]
    return table(["form", "recognised, for example, by"], rows)


GENERATORS: Mapping[str, Callable[..., str]] = {
    "tasks": tasks,
    "task-reference": task_reference,
    "models": models,
    "model-costs": model_costs,
    "model-libraries": model_libraries,
    "model-reference": model_reference,
    "fields": fields,
    "record": record,
    "suites": suites,
    "claims": claims,
    "published": published,
    "corruptions": corruptions,
    "distributions": distributions,
    "hub-forms": hub_forms,
    "commands": commands,
    "public": public,
    "modules": modules,
}
BLOCK = re.compile(r"^```\{generated\} ([\w-]+)(?: ([\w.]+))?\n```$", re.MULTILINE)


def filled_in(text: str) -> str:
    """A page with its generated blocks made."""
    return BLOCK.sub(lambda block: GENERATORS[block[1]](*filter(None, [block[2]])), text)
