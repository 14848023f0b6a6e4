"""Readers: how careers of every origin become a panel."""
