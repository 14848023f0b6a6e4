"""A line on every command, so that help on all of them imports none; a test holds each to the command's own."""

from __future__ import annotations

SUMMARIES = {
    "run": "Fit each model once, score it on each task of the test split, and show where it stands.",
    "list": "List models, tasks and data sets, the plugin of each, and the missing libraries of those that are not "
    "available.",
    "show": "Show what a model, task or data set is, its source, and its parameters with defaults and units.",
    "leaderboard": "Regenerate every table from the record files, and print those asked for.",
    "compare": "Tell how far apart runs of one board are, for whom, and in which transitions.",
    "card": "A run on one page: model, data, figures and place, calibration, for whom it holds, cost, "
    "provenance, limits.",
    "mix": "Mix finished runs: the weighted mean of their probabilities that the validation split finds the likeliest.",
    "score": "Score probabilities that were made in R, Stata or anywhere: they stand on the board, marked as "
    "submitted.",
    "verify": "Run a record's configuration again, from the start, and say whether it reproduces.",
    "sign": "Sign records with an SSH key: a detached signature, RECORD.json.sig, is written beside each.",
    "migrate": "Bring record files up to date: figures that are younger than a record, from its evidence; its "
    "layout; its place.",
    "explain": "Print the estimates of a finished run: coefficients, standard errors, marginal effects; importances "
    "of trees.",
    "ablate": "Run a model's ablations, one change each, and print their paired differences.",
    "tune": "Search a model's parameters by the perplexity of the validation split; the test split is never read.",
    "plot": "Draw a figure for a paper, with 95% intervals, from records; nothing is fitted.",
    "claims": "Test the claims of a paper on a panel, and say of each whether it is borne out there.",
    "forecast": "Sample the careers of the test split past a year, and compare them with what happened.",
    "import": "Write the careers of a survey, or of a corpus of resumes, read from the files that its site gives, "
    "as a panel.",
    "doctor": "Say what this machine has, what is missing for which model, and the line that mends it.",
    "audit": "Fit a model and check the rules that every model must satisfy; exit status 1 if one is broken.",
    "new-plugin": "Write a third-party plugin that installs, is found, runs, and passes its own test.",
    "data": "Describe, check and convert careers.",
    "study": "A grid of runs: plan it, carry it out, merge it.",
    "submission": "Check what is submitted to a leaderboard.",
    "cache": "List the contents of the cache, and make room.",
}
