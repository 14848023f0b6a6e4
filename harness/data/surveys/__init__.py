"""Importers of surveys and resume corpora as their sites give them: a bundle of files in, a panel folder out."""
