"""Every fault of a source, told with its place."""
