"""The claims of a paper on a model, put to the test on a panel: the runs that they ask for, and the verdicts."""
