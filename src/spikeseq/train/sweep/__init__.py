"""Search over recipes with Optuna: space.py (what is tried), study.py (where it is kept), worker.py (who tries), result.py."""
