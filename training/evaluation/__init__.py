"""How close digits are to real ones: measured by a panel of judges, reported, drawn, written into cards.

judges.py, networks.py      the panel; train_judges.py and judge_training.py trained it, weights/ holds it
frechet.py, neighbours.py, accuracy_score.py    the metrics, on arrays
baseline.py                 the real digits that others are measured against
sources.py, measure.py      models and references, and all figures of one of them
figures.py                  FIGURES, Estimate, Scores, Report: what is measured, as data
assessment.py               the whole evaluation, for evaluate.py and train.py
report.py, charts.py, pictures.py, drawing.py    tables and figures
truncation.py               the script: what truncation gains and costs
"""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"  # of the judges: NAME.safetensors and NAME.json, made by train_judges.py
