"""Pages and images that show attention, predictions and data sets."""
