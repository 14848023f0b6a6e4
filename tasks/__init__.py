"""The tasks that come with the harness, one small file each."""
