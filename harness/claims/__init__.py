"""What the abstract of LABOR-LLM claims (Athey et al. 2024), put to the test on a panel."""
