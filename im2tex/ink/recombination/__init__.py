"""recombination"""
