"""The Neural Attentive Circuit: modulated layers, the stochastic kernel, the circuit and its executor."""
