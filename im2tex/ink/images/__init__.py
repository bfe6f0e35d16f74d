"""Pictures from outside: opened safely, cleaned up, and reduced to ink on paper."""
