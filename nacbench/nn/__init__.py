"""What runs on the device for every model: the network, kernels, CUDA graphs, positions."""
