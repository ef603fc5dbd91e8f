"""Labelled data sets of generated digits, in common formats.

plan.py     what determines the images of a data set; pure functions
formats.py  FORMATS: one writer per format
write.py    write_dataset: a new folder, filled, then renamed
"""
