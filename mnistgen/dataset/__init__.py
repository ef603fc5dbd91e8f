"""Labelled data sets of generated digits, in everybody's format, at any size.

plan.py     what a data set is, and which parts it has: pure functions
work.py     one part: drawn, written, recorded
arrays.py   shards.py   formats.py     FORMATS: what it can be written as
store.py    where it goes
engines.py  ENGINES: who does the parts
build.py    write_dataset: begun, gone on with, finished
again.py    made again from dataset.json, and compared
"""
