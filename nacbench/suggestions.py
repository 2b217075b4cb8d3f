"""Suggest the known name that is most like a name that is not known: one mechanism for settings, options and names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

LEAST = 0.5  # likeness from which on a name is suggested
MARGIN = 0.2  # by which a second suggestion may be less like it than the first
SAME_MEANING = 0.95  # above what letters in common give, below the same name in another spelling
# Words that mean the same in nacbench and elsewhere, where letters do not show it; each with and without its plural s
MEANINGS = (
    "depth layer n_layer num_layer num_hidden_layer n_block num_block",
    "width dim d_model n_embd hidden hidden_size hidden_dim embed_dim embedding_dim model_dim state_dim latent_dim",
    "head n_head num_head nhead num_attention_head",
    "ffn_mult mlp_ratio ffn_ratio expansion dim_feedforward d_ff",
    "module n_module num_module",
    "dropout drop drop_rate dropout_rate dropout_prob p_drop",
    "lr learning_rate max_lr base_lr peak_lr step_size",
    "lr_end min_lr eta_min end_lr final_lr",
    "lr_start warmup_lr start_lr init_lr",
    "schedule lr_scheduler_type lr_scheduler scheduler",
    "batch_size bs batch train_batch_size per_device_train_batch_size",
    "epoch n_epoch num_epoch max_epoch num_train_epoch train_epoch",
    "warmup_epoch warmup warmup_step warmup_ratio",
    "weight_decay wd l2",
    "clip_norm grad_clip clip_grad max_grad_norm gradient_clip_val",
    "accumulate grad_accum accum_iter gradient_accumulation_step accumulate_grad_batche",
    "label_smoothing smoothing",
    "ema ema_decay model_ema polyak",
    "beta1 momentum adam_beta1",
    "beta2 adam_beta2",
    "selection early_stopping checkpoint_selection",
    "seed random_seed random_state manual_seed rng",
    "task dataset benchmark ds",
    "model arch architecture network net backbone",
    "device cuda gpu accelerator n_gpu num_gpu",
    "worker num_worker n_worker dataloader_num_worker n_job",
    "thread num_thread n_thread omp_num_thread",
    "precision amp fp16 bf16 dtype mixed_precision",
    "out output output_dir out_dir outdir save_dir results_dir log_dir",
    "data_root data_dir data_path datadir",
    "config config_file cfg yaml",
    "force overwrite rerun",
    "quiet silent no_progress",
    "accuracy acc top1 top_1 acc1",
    "nll loss cross_entropy ce log_loss",
    "run train fit",
    "runs list ls results",
    "show info describe inspect",
    "report plot table figure",
    "metrics evaluate eval score",
    "doctor check_install diagnose",
)
_MEANING_OF = {word: number for number, words in enumerate(MEANINGS) for word in words.split()}


def nearest(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return the known names that are most like a name, the most similar first; none if none is similar.

    What counts are the last parts, without dashes: in ``training.learning_rate`` the first part is most of the letters,
    but what is meant is ``training.lr``; ``--learning-rate`` may mean ``--set training.lr=…``.

    Args:
        name: the name that is not known: of a task, model or metric, a dotted key, or an option with its dashes.
        known: names, dotted keys, or options with their dashes, in which a value may follow behind a blank or ``=``.
        most: number of names to return.
    """
    ranked = sorted(((_likeness(name, own), own) for own in known), key=lambda pair: (*(-x for x in pair[0]), pair[1]))
    return [own for (likeness, _), own in ranked if likeness >= max(LEAST, ranked[0][0][0] - MARGIN)][:most]


def hint(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return ``did you mean 'training.lr'?`` for a name that is not known, or which names there are."""
    known = sorted(known)
    near = nearest(name, known, most)
    listed = [own for own in known if own.startswith("-") == name.startswith("-")]
    separator = "; " if any(", " in own for own in listed) else ", "  # labels of variants have commas of their own
    return question(near) if near else f"there are: {separator.join(listed) or 'none'}"


def question(near: Sequence[str]) -> str:
    """Return the question whether one of these names was meant."""
    return f"did you mean {' or '.join(map(repr, near))}?"


def _likeness(name: str, known: str) -> tuple[float, float]:
    """Return the similarity of the last parts of two names, and that of the whole names, each from 0 to 1."""
    one, other = _last_part(name), _last_part(known)
    whole = SequenceMatcher(None, name, known).ratio()
    if one == other:
        return 1.0, whole
    if _means_the_same(one, other) or one == _initials(other) or other == _initials(one):
        return SAME_MEANING, whole
    if name.startswith("-") != known.startswith("-"):  # letters in common say little of a setting and an option
        return 0.0, whole
    words, others = set(one.split("_")), set(other.split("_"))
    common = len(words & others) / min(len(words), len(others))
    by_words = 0.5 + 0.3 * common + 0.05 * other.startswith(one) if common else 0.0
    return max(by_words, SequenceMatcher(None, one, other).ratio()), whole


def _last_part(name: str) -> str:
    """Return ``batch_size`` for ``training.batch_size``, ``--batch-size`` and ``--set training.batch_size=…``."""
    text = name.removeprefix("--set ").partition("=")[0].lstrip("-")
    return text.partition(" ")[0].rpartition(".")[2].replace("-", "_").lower()


def _means_the_same(one: str, other: str) -> bool:
    meanings = [_MEANING_OF.get(word, _MEANING_OF.get(word.removesuffix("s"), -1)) for word in (one, other)]
    return meanings[0] == meanings[1] >= 0


def _initials(name: str) -> str:
    """Return ``bs`` for ``batch_size``; nothing for a single word, whose first letter says little."""
    words = name.split("_")
    return "".join(word[:1] for word in words) if len(words) > 1 else ""
