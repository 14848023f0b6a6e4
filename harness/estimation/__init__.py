"""What several models are estimated with: logits, a sparse multinomial, models in three steps."""
