"""Evaluation of models: metrics, robustness, tables and an HTML report."""
