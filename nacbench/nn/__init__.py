"""Neural network code shared by all models: tokenizer + core, attention kernels, CUDA graphs, position features."""
