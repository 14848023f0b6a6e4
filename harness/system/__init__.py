"""Files, machine, processes and progress: what a program needs that knows nothing of careers."""
