"""How close digits are to real ones: features, metrics, reports."""
