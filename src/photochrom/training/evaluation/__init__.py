"""How good a model is: metrics, robustness, tables and a page."""
