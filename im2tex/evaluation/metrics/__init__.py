"""Metrics: definitions as functions of samples, and torchmetrics that add up their scores.

Every state is a sum of integers, so a value does not depend on how samples were cut into batches
or spread over processes, or on their order.
"""
