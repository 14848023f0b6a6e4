"""Broken inputs of every reader: each is read soundly, or refused in one line."""
