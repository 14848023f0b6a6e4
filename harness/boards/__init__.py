"""From records to ranked rows, and the comparisons between them: nothing here knows a model or a panel."""
