"""Labelled data sets of generated digits, in everybody's format, at any size.

plan.py      what a data set is, and which parts it has: pure functions
arrays.py    shards.py   formats.py     FORMATS: what it can be written as
work.py      one part: drawn and written
engines.py   ENGINES: who does the parts
journal.py   progress.py                which parts are done
manifest.py  dataset.json, written and checked
store.py     local.py    remote.py      where it goes, and who owns the place
build.py     write_dataset: created or resumed, then published
again.py     made again from dataset.json, and compared
"""
