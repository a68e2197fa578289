"""Stand-ins for programs that are not at hand: `vllm` (it wants a GPU), and Slurm's commands."""
