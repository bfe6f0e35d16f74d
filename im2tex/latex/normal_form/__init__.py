"""normal_form"""
