"""The base that is pre-trained here, where none is named."""
