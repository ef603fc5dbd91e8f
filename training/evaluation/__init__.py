"""Evaluation of how close generated digits are to real ones, with reports, plots and figures for model cards.

judges.py, networks.py      the judges, networks that provide features; trained by train_judges.py and judge_training.py
frechet.py, neighbours.py, accuracy_score.py    the metrics, as functions on arrays
baseline.py                 the real digits to compare with
sources.py, measure.py      models and references, and the measurement of one of them
figures.py                  FIGURES, Estimate, Scores, Report: the results as data
assessment.py               the whole evaluation, for evaluate.py and train.py
report.py, charts.py, pictures.py, drawing.py    tables and plots
truncation.py               a script that measures the effect of truncation
"""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"  # of the judges: NAME.safetensors and NAME.json, from train_judges.py
