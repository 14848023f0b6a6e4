# Shortcuts for developers; the README's commands need no make.
VENV ?= .venv
BIN = $(VENV)/bin

$(BIN)/harness: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

FAMILY = --model career --model career-titles --model nemo --model bag-of-jobs --model markov-regression

.PHONY: test bench reliability lint docs boards

test: $(BIN)/harness
	$(BIN)/pytest

# The tests of minutes and the benchmarks, each beside a named peer.
bench: $(BIN)/harness
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/pytest -m slow --benchmark-enable

# docs/reliability.md, measured again: half an hour.
reliability: $(BIN)/harness
	PYTHONPATH=tests $(BIN)/python -m reliability

lint: $(BIN)/harness
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages that the program itself says, and the site, in site/index.html.
docs: $(BIN)/harness
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build

# Run again, on this machine, everything that the committed boards are computed from.
boards: $(BIN)/harness
	$(BIN)/harness run --task all --data market --model uniform --model marginal --model markov --model mnl --model softmax --model gbm --model gbm-switch --model gbm-lf-exit --model llm-lora --model oracle --force
	$(BIN)/harness run --task all --data market $(FAMILY) --force
	$(BIN)/harness run --task all --data market --model career --model career-titles --pretrain market-resumes --force
	$(BIN)/harness run --task next_occ --data market --model llm-lora --set renormalise=certified
	$(BIN)/harness run --task all --data wage-panel --model uniform --model marginal --model markov --model mnl --model softmax --model gbm --model gbm-switch --model llm-lora $(FAMILY) --force
	$(BIN)/harness run --task next_occ --data market --model markov --model mnl --model softmax --model gbm --model career --model llm-lora --train-persons 200 --train-persons 400 --train-persons 800 --force
	$(BIN)/harness claims --data market
	$(BIN)/harness mix
	$(BIN)/harness leaderboard
