"""The models that come with the harness: each a plugin like anyone else's, none importing another."""
