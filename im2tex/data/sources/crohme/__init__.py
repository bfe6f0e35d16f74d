"""crohme"""
