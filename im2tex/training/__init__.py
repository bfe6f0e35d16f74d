"""The LightningModule, its callbacks, optimisers and schedules."""
