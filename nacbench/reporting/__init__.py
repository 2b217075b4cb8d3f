"""From records to tables and plots. Nothing here imports torch."""
