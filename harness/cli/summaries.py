"""A line on every command, so that help on all of them imports none; a test holds each to the command's own."""

from __future__ import annotations

SUMMARIES = {
    "run": "Fit models, score them on the test split, and rank them.",
    "list": "List models, tasks and data sets, and missing libraries.",
    "show": "Describe a model, task or data set, and its parameters.",
    "leaderboard": "Make every table from the record files, and print some.",
    "compare": "Compare runs of one board, and say for whom they differ.",
    "card": "Print an account of one run on a page.",
    "mix": "Average finished runs by weights of the validation split.",
    "score": "Score probabilities that were made in R, Stata or elsewhere.",
    "verify": "Run a record's request again, and say if it reproduces.",
    "sign": "Sign records and tables with an SSH key.",
    "migrate": "Rewrite record files of older versions in the present form.",
    "explain": "Print the estimates of a finished run.",
    "ablate": "Change one part of a model at a time, and print the effect.",
    "tune": "Search a model's parameters on the validation split.",
    "plot": "Draw a figure for a paper from records.",
    "claims": "Test the claims of a paper on a panel.",
    "forecast": "Sample careers past a year, and compare with the outcome.",
    "import": "Turn the download of a survey or of resumes into a panel.",
    "doctor": "Say which libraries and devices this machine has and lacks.",
    "audit": "Check a model against the rules for every model.",
    "new-plugin": "Write a plugin of one model and its test, to start from.",
    "data": "Describe, check and convert careers.",
    "study": "Run a grid of models, panels and seeds as one study.",
    "submission": "Check a submission to a leaderboard.",
    "cache": "List the contents of the cache, and make room.",
}
