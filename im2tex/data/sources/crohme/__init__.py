"""Source `crohme`: CROHME in InkML as published."""
