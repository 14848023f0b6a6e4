"""llm-titles: a language model that reads and writes a career with one token a title."""
