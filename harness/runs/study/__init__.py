"""Studies: grids of runs, each a cell, carried out side by side on this machine, by Ray or by Slurm.

``cells`` has the small engine, ``run_cells(cells, executor)``, which knows of no model; ``local``, ``on_ray`` and
``slurm`` the executors; ``request``, ``plan`` and ``carry_out`` a study of runs, made of these.
"""
