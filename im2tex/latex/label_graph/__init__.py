"""label_graph"""
