"""Labels of variants: short, and still unique."""

from nacbench.reporting.names import told_apart

LR, WEIGHTS = "training.lr", "init_from.weights"


def test_labels_have_as_few_digits_as_tell_them_apart() -> None:
    rates = [0.00031622776601683794, 0.0031622776601683794, 0.00316227766, 1e-05, 0.001]
    told = told_apart([{LR: rate} for rate in rates], [LR], {LR: 0.001})
    assert [own.get(LR) for own in told] == [
        "lr=0.00031622776602",
        "lr=0.0031622776602",
        "lr=0.00316227766",
        "lr=1e-05",
        None,
    ]


def test_drawn_rates_that_differ_early_have_four_digits() -> None:
    told = told_apart([{LR: 0.00031622776601683794}, {LR: 0.0031622776601683794}], [LR], {})
    assert [own[LR] for own in told] == ["lr=0.0003162", "lr=0.003162"]


def test_a_label_says_that_a_run_began_with_weights() -> None:
    variants: list[dict[str, str | None]] = [{WEIGHTS: None}, {WEIGHTS: "ab" * 32}, {WEIGHTS: "ac" * 32}]
    told = told_apart(variants, [WEIGHTS], {WEIGHTS: None})
    assert [list(own.values()) for own in told] == [
        [],
        ["init_from.weights=abababab"],
        ["init_from.weights=acacacac"],
    ]
