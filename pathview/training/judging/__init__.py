"""What a trained model is looked at with: result, learning curve, thresholds, challenges."""
