"""A MkDocs hook: each notebook of the docs is run when the site is built, and becomes a page of Markdown."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import MarkdownExporter

SECONDS = 600  # that a cell may take


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, beside the notebook itself, which readers can download."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = notebook.src_uri.removesuffix(".ipynb") + ".md"
        made = markdown(Path(str(notebook.abs_src_path)))
        files.append(File.generated(config, page, content=made))
    return files


def markdown(path: Path) -> str:
    """The notebook with its outputs, run in a folder of its own. PluginError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        os.environ.setdefault("HARNESS_CACHE", str(Path(tempfile.gettempdir()) / "harness-docs-cache"))
        try:
            NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute(cwd=folder)
        except CellExecutionError as error:
            raise PluginError(f"{path}: {error}") from error
    body, _ = MarkdownExporter().from_notebook_node(notebook)
    title, _, rest = body.partition("\n")
    return f"{title}\n\n[Download the notebook]({path.name}).\n{rest}"
