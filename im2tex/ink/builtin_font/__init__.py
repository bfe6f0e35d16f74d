"""builtin_font"""
