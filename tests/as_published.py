"""The table docs/as-published.md: the authors' settings beside those of scale ``paper``, which are read from the code.

To make it again: ``python -m tests.as_published``
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from nacbench.contracts.model import Model
from nacbench.data.images import randaugment
from nacbench.data.images.augment import ImagePreparation
from nacbench.data.images.image_files import ImageFiles
from nacbench.data.images.mixing import partners
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.data.live import Varied
from nacbench.data.sampling import step_indices
from nacbench.formats.yaml_text import parse_yaml
from nacbench.nac import initialisation
from nacbench.nac.initialisation import random_graph
from nacbench.nac.priors import GraphPrior, graphon, matching
from nacbench.nn.network import build_network
from nacbench.protocols.published_corruptions import PublishedCorruptionsTask
from nacbench.registry import MODELS, TASKS, usual_size
from nacbench.training.optim import learning_rate, undecayed

FIXTURE = Path(__file__).with_suffix(".yaml")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "as-published.md"
STEPS = 195  # of an epoch of Tiny-ImageNet


class Row(NamedTuple):
    """A setting: the authors' value, ours as the code has it, ours as the fixture expects it, and why they differ."""

    setting: str
    authors: str
    ours: str
    expected: str
    why: str


def task(name: str) -> ImageTask:
    """A task with its options of scale ``paper``."""
    found = TASKS.training(name).configured("task", "paper", {})
    assert isinstance(found, ImageTask)
    return found


TINY, IMAGENET = task("tiny-imagenet"), task("imagenet")
RECIPE, INET_RECIPE = (own.recipes["paper"] for own in (TINY, IMAGENET))
assert isinstance(RECIPE, ImageRecipe)
AUGMENT = RECIPE.augment


def model(name: str, on: ImageTask = TINY) -> Any:
    """A model in the size that it has on a task at scale ``paper``."""
    cls = MODELS.get(name)
    return cls.configured("model", usual_size(type(on), "paper", cls), {})


def network(name: str, on: ImageTask = TINY) -> nn.Module:
    """Its network, without memory for the weights where these do not matter."""
    own: Model = model(name, on)
    return build_network(on, on.spec(), own, 0)


def circuit(on: ImageTask) -> str:
    own = model("nac", on)
    sizes = own.modules, own.readout_modules, own.state_dim, own.signature_dim, own.depth, own.heads, own.head_dim
    return ", ".join(map(str, (*sizes, own.ffn_mult)))


def perceiver(on: ImageTask) -> str:
    own = model("perceiver-io", on)
    return f"{own.latents}, {own.latent_dim}, {own.depth}, {own.heads}"


def larger(name: str, *options: str) -> str:
    """Options of the sizes of the release for ImageNet."""
    sizes = ("chonker", "heckinchonker", "heftychonk", "superchonker")
    found = [MODELS.get(name).configured("model", size, {}).options() for size in sizes]
    return "; ".join(", ".join(str(own[option]) for option in options) for own in found)


def offered(layout: str) -> str:
    return "offered" if layout in MODELS.get("nac").presets else "not offered"


def new_edges() -> int:
    graph = random_graph("scale-free", 640, 10, 0)
    return graph.number_of_edges() // (640 - 2)


def ties() -> str:
    """What becomes of two cliques whose members nothing tells apart."""
    target = graphon("planted-partition", 64, 2)
    nearest = matching(target, target).tolist() == list(range(64))
    return "the one that leaves modules nearest to their place" if nearest else "another"


def watts_strogatz() -> str:
    loss = GraphPrior("watts-strogatz", 320, 10)(torch.randn(320, 64))
    return "runs" if loss.isfinite() else "is not finite"


def parameters(name: str) -> str:
    with torch.device("meta"):
        return f"{sum(p.numel() for p in network(name).parameters()):,}"


def start(on: ImageTask) -> str:
    own = model("nac", on)
    if own.initial_graph == "scale-free":
        return "a graph of Barabási and Albert"
    return "unit normals" if own.signature_start == "unit-normal" else "unit length"


def tokenizer_start() -> str:
    torch.manual_seed(0)
    tokenizer: Any = TINY.tokenizer()
    scale = float(tokenizer.stem[2].layer_scale.detach().max())
    return f"{scale:.0e}, {float(tokenizer.stem[4].weight.detach().std()):.2f}"


def rates() -> str:
    return ", ".join(f"{learning_rate(RECIPE, epoch * STEPS, STEPS):.3g}" for epoch in (0, 1, 9, 10, 200, 399))


def within_an_epoch() -> str:
    found = {learning_rate(RECIPE, 50 * STEPS + step, STEPS) for step in range(STEPS)}
    return "constant" if len(found) == 1 else "another at every step"


def spared() -> str:
    net = network("nac")
    names = {name for name in undecayed(net) if dict(net.named_parameters())[name].dim() > 1}
    endings = {"signatures": "signatures", "position": "position grid", "layer_scale": "layer scale"}
    unknown = {name for name in names if name.rpartition(".")[2] not in endings} - {
        name for name in names if name.endswith("bias")
    }
    assert not unknown, unknown
    return ", ".join(text for end, text in endings.items() if any(name.endswith(end) for name in names))


def query() -> str:
    return "spared" if "core.query" in undecayed(network("perceiver-io")) else "decayed"


def crop() -> str:
    own = next(step for step in steps() if hasattr(step, "_crop"))._crop
    low, high = own.ratio
    return f"scale {own.scale[0]} to {own.scale[1]:g}, ratio {low:.2f} to {high:.2f}, {own.interpolation.value}"


def steps(on: ImageTask = TINY) -> list[Any]:
    """The transforms of training images."""
    prepared = on.preparation(on.recipes["paper"], on.spec())
    assert isinstance(prepared, ImagePreparation)
    return list(prepared._augment.transforms)


def rand_augment() -> str:
    own = next(step for step in steps() if isinstance(step, randaugment.RandAugment))
    return (
        f"{randaugment.PER_IMAGE} of {len(randaugment.OPERATIONS)} operations, each applied with probability "
        f"{own.probability}, magnitude {own.magnitude:g} ± {own.std} of {randaugment.STRONGEST:g}"
    )


def fill() -> str:
    from PIL import Image

    own = next(step for step in steps() if isinstance(step, randaugment.RandAugment))
    ramp = Image.linear_gradient("L")
    turned = randaugment.rotate(ramp, 0.9, 1.0, own.fill)
    bicubic = turned == ramp.rotate(27, Image.Resampling.BICUBIC, fillcolor=own.fill[0])
    return f"{own.fill}, {'bicubic' if bicubic else 'another'}"


def posterized() -> str:
    from PIL import Image

    levels = len(set(np.asarray(randaugment.posterize(Image.linear_gradient("L"), 1.0, 1.0, (0,))).ravel().tolist()))
    return f"{levels // 2} bit"


def erasing() -> str:
    own = next(step._transform for step in steps() if hasattr(getattr(step, "_transform", None), "value"))
    kind = "noise for each pixel" if own.value is None else "a constant"
    return f"probability {own.p}, area {own.scale[0]} to {own.scale[1]:.2f}, {kind}"


def mixed() -> str:
    return f"{AUGMENT.mixup}, {AUGMENT.cutmix}, {AUGMENT.cutmix_probability}, {RECIPE.label_smoothing}"


def partner() -> str:
    moved = partners(torch.arange(8)).tolist()
    names = {(4, 5, 6, 7, 0, 1, 2, 3): "the one half a batch away", (7, 6, 5, 4, 3, 2, 1, 0): "the opposite one"}
    return names[tuple(moved)]


def own_copies() -> str:
    examples = torch.from_numpy(step_indices(100_000, RECIPE.batch_size, 0, 7, AUGMENT.repeats))
    return f"{100 * float((partners(examples) == examples).double().mean()):.1f} %"


def averaged(recipe: ImageRecipe) -> str:
    if not recipe.ema:
        return "none"
    begin = "with a warm-up" if recipe.ema_warmup else "from the initial weights"
    scored = "they are scored" if recipe.score_ema else "kept; the raw weights are scored"
    return f"decay {recipe.ema} {begin}, {scored}"


def tested(on: ImageTask) -> str:
    sides = on.test_resize, on.shape[-1]
    ramp = torch.arange(on.shape[1] ** 2).remainder(256).to(torch.uint8).view(1, 1, *on.shape[1:]).expand(1, 3, -1, -1)
    from torchvision.transforms import v2

    resized = v2.functional.resize(ramp, [sides[0]], v2.InterpolationMode.BICUBIC, antialias=True)
    expected = v2.functional.center_crop(resized, list(on.shape[1:])) / 255
    prepared = on.preparation(on.recipes["paper"], on.spec()).plain({"images": ramp}, 0)["image"]
    mean, std = (torch.tensor(own).view(3, 1, 1) for own in normalisation(on))
    assert torch.allclose(prepared * std + mean, expected, atol=1e-5)
    return f"shorter side {sides[0]}, bicubic, centre crop {sides[1]}"


def normalisation(on: ImageTask) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the last step before the erasing."""
    own = next(
        step
        for step in steps(on)
        if hasattr(step, "mean")
        and hasattr(step, "std")
        and step.std is not None
        and not isinstance(step, randaugment.RandAugment)
    )
    return tuple(round(float(v), 3) for v in own.mean), tuple(round(float(v), 3) for v in own.std)


def whole() -> str:
    return "from the whole photograph" if issubclass(ImageFiles, Varied) else "from a fitted one"


def corruptions() -> str:
    found = [TASKS.get(name) for name in ("tiny-imagenet-c", "imagenet-c")]
    published = all(issubclass(own, PublishedCorruptionsTask) for own in found)
    return "severities for the image's size, or the published files" if published else "our own"


OURS: dict[str, Callable[[], Any]] = {
    "circuit on Tiny-ImageNet: modules, read-out modules, state, signatures, depth, heads, head width, m": lambda: (
        circuit(TINY)
    ),
    "circuit on ImageNet, the smallest published: the same": lambda: circuit(IMAGENET),
    "Perceiver IO on Tiny-ImageNet: latents, their width, depth, heads": lambda: perceiver(TINY),
    "Perceiver IO on ImageNet: the same": lambda: perceiver(IMAGENET),
    "parameters of Perceiver IO on Tiny-ImageNet": lambda: parameters("perceiver-io"),
    "parameters of NAC on Tiny-ImageNet": lambda: parameters("nac"),
    "chonker, heckinchonker, heftychonk, superchonker: modules, state, heads, m, read-out modules": lambda: larger(
        "nac", "modules", "state_dim", "heads", "ffn_mult", "readout_modules"
    ),
    "Perceiver IO beside these: latents, their width, depth, heads": lambda: larger(
        "perceiver-io", "latents", "latent_dim", "depth", "heads"
    ),
    "width of the tokenizer's tokens by size": lambda: IMAGENET.spec().token_dim,
    "the earlier layout, TINY-INET-NC-X and INET-NC-X": lambda: offered("nc-x"),
    "read-out pooling on Tiny-ImageNet": lambda: (
        "Gumbel softmax, drawn in training" if model("nac").pooling == "gumbel" else "softmax"
    ),
    "temperature of links": lambda: model("nac").temperature,
    "links at evaluation": lambda: model("nac").evaluation,
    "weight of the graph prior": lambda: model("nac").prior_weight,
    "clusters of planted partition and ring of cliques": lambda: (
        f"{model('nac').prior_clusters} of {model('nac').modules // model('nac').prior_clusters} modules"
    ),
    "matching of a graph prior": lambda: (
        "every step" if model("nac").prior_match_every == 1 else f"every {model('nac').prior_match_every} steps"
    ),
    "assignments of equal cost in a matching": ties,
    "prior of Watts and Strogatz": watts_strogatz,
    "signatures at the start on Tiny-ImageNet": lambda: start(TINY),
    "signatures at the start on ImageNet": lambda: start(IMAGENET),
    "edges of each new module in that graph": new_edges,
    "fit of signatures to a start graph": lambda: (
        f"hinge at a distance of {initialisation.THRESHOLD}, {initialisation.STEPS} steps of Adam at "
        f"{initialisation.RATE}"
    ),
    "tokenizer at the start: layer scale, deviation of weights": tokenizer_start,
    "epochs on Tiny-ImageNet": lambda: RECIPE.epochs,
    "epochs on ImageNet": lambda: INET_RECIPE.epochs,
    "batch on Tiny-ImageNet": lambda: f"{RECIPE.batch_size:,}",
    "batch on ImageNet": lambda: f"{INET_RECIPE.batch_size:,}",
    "peak learning rate at a batch of 512 on Tiny-ImageNet": lambda: RECIPE.lr * 512 / RECIPE.batch_size,
    "peak learning rate at a batch of 512 on ImageNet": lambda: f"{INET_RECIPE.lr * 512 / INET_RECIPE.batch_size:.4g}",
    "lowest learning rate at a batch of 512": lambda: both(lambda own: own.lr_end * 512 / own.batch_size),
    "warm-up epochs": lambda: both(lambda own: f"{own.warmup_epochs:g}"),
    "learning rate in epochs 0, 1, 9, 10, 200 and 399 of Tiny-ImageNet": rates,
    "learning rate within an epoch": within_an_epoch,
    "weight decay": lambda: both(lambda own: own.weight_decay),
    "weight decay spares, of tensors with two axes or more, on Tiny-ImageNet": spared,
    "weight decay of Perceiver IO's query": query,
    "betas of AdamW": lambda: both(lambda own: f"{own.beta1}, {own.beta2}"),
    "gradient clipping": lambda: both(lambda own: own.clip_norm or "none"),
    "random crop": crop,
    "ImageNet's training crops": whole,
    "horizontal flip": lambda: "with probability 0.5" if AUGMENT.flip else "none",
    "RandAugment": rand_augment,
    "RandAugment's fill and interpolation": fill,
    "RandAugment's posterize at the largest magnitude": posterized,
    "colour jitter": lambda: AUGMENT.color_jitter or "none",
    "random erasing": erasing,
    "repeated augmentation": lambda: f"{AUGMENT.repeats} copies",
    "mixup, cutmix, probability of cutmix, label smoothing": mixed,
    "partner of an image in mixup and cutmix": partner,
    "pairs that are one image with itself": own_copies,
    "averaged weights on Tiny-ImageNet": lambda: averaged(RECIPE),
    "averaged weights on ImageNet": lambda: averaged(INET_RECIPE),
    "checkpoint": lambda: both(lambda own: "the last" if own.selection == "last" else own.selection),
    "test images of Tiny-ImageNet": lambda: tested(TINY),
    "test images of ImageNet": lambda: tested(IMAGENET),
    "mean and deviation": lambda: ", ".join(map(str, normalisation(TINY))),
    "corruptions": corruptions,
}


def both(value: Callable[[ImageRecipe], Any]) -> Any:
    """A value that the recipes of Tiny-ImageNet and ImageNet share; both, if they do not."""
    first, second = value(RECIPE), value(INET_RECIPE)
    return first if first == second else f"{first} and {second}"


def rows() -> list[Row]:
    """All settings of the fixture, in its order."""
    found = []
    for own in parse_yaml(FIXTURE.read_text("utf-8"), FIXTURE.name):
        expected = own.get("paper", own["authors"])
        ours = str(OURS[own["setting"]]())
        found.append(Row(own["setting"], own["authors"], ours, expected, own.get("why", "")))
    return found


def page(found: list[Row]) -> str:
    """The page with all rows."""
    same = sum(row.ours == row.authors for row in found)
    lines = [f"| {row.setting} | {row.authors} | {row.ours} | {row.why or '—'} |" for row in found]
    origins = [
        f"| `{name}` | {cls.origin.whose} | {cls.origin.source or '—'} |"
        for name, cls in sorted(TASKS.load_all()[0].items())
        if TASKS.entries()[name].origin == "built in" and hasattr(cls, "tokenizer")
    ]
    return f"""# As published

The authors' settings for Tiny-ImageNet and ImageNet, as their code uses them (mweiss17/NeuralAttentiveCircuits,
commit 41ae372, with timm 0.4.12), beside those of scale `paper`. The right side is read from the code by a test, which
keeps this page as it is: {same} of {len(found)} settings are equal, and each difference has its reason.

| setting | the authors | `paper` | reason of the difference |
| --- | --- | --- | --- |
{chr(10).join(lines)}

RandAugment is checked by its effect, too: on the same images the share of untouched images, the mean change and the
structural similarity are within 5 % of timm's, as are mean, deviation, change and roughness of whole augmented batches.

## Other data

The authors published settings for Tiny-ImageNet and ImageNet alone. For all other data scale `paper` is **ours**; where
it follows a recipe of others, this table names it. Records say so in `data.notes`, and tables in a line below.

| task | recipe of scale `paper` | source |
| --- | --- | --- |
{chr(10).join(origins)}
"""


if __name__ == "__main__":
    PAGE.write_text(page(rows()), encoding="utf-8")
