"""im2latex"""
