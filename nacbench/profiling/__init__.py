"""What a model costs: parameters, operations, time, memory, energy."""
