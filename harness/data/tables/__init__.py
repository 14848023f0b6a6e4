"""Tables as people keep them: columns of text or numbers, rows with their places, and which column is what."""
