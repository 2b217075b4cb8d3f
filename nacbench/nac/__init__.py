"""The Neural Attentive Circuit (NAC): modulated layers, stochastic kernel, circuit generator and circuit executor."""
