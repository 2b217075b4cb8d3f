#!/usr/bin/env bash
# perceiver-pytorch: Fourier positions span the padded length, so that padding changes a result although it is masked.
#
# Seen with perceiver-pytorch 0.11.0 and torch 2.14.1: Perceiver(fourier_encode_data=True), its default, places position
# -1 at the first and 1 at the last element of the tensor, before it looks at the mask. The same sequence has other
# positions in a batch with a longer one, and other logits: here by a seventh of their size. Without its own positions
# (fourier_encode_data=False) the same call gives the same logits to rounding, so that the mask itself is right. Scores
# of sequences of unequal lengths thus depend on how they are batched. Way out: encode positions in the tokens.
#
# Exits with 0 while this is so, with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.3.5 perceiver-pytorch==0.11.0
"$folder/env/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from perceiver_pytorch import Perceiver

print("perceiver-pytorch", version("perceiver-pytorch"), "· torch", torch.__version__)


def change_by_padding(has_positions):
    torch.manual_seed(0)
    model = Perceiver(
        input_channels=3,
        input_axis=1,
        num_freq_bands=4,
        max_freq=8.0,
        depth=2,
        num_latents=6,
        latent_dim=16,
        cross_dim_head=8,
        latent_dim_head=8,
        num_classes=5,
        fourier_encode_data=has_positions,
    ).eval()
    sequence, padding = torch.randn(2, 10, 3), torch.zeros(2, 4, 3)
    mask = torch.ones(2, 10, dtype=torch.bool)
    padded_mask = torch.cat([mask, torch.zeros(2, 4, dtype=torch.bool)], 1)
    with torch.inference_mode():
        alone = model(sequence, mask=mask)
        padded = model(torch.cat([sequence, padding], 1), mask=padded_mask)
    return ((padded - alone).norm() / alone.norm()).item()


own, none = change_by_padding(True), change_by_padding(False)
print(f"relative change of the logits by four masked positions: {own:.3f} with its positions, {none:.1e} without")
sys.exit(0 if own > 0.05 and none < 1e-5 else 1)
PYTHON
