"""Labelled data sets of generated digits, in common formats, of any size.

plan.py          Plan: what determines a data set, and how it is split into tasks; pure functions
formats.py       FORMATS, one row per format; format.py: the interface; arrays.py, shards.py: the implementations
work.py          Job: generate and write one task
engines.py       ENGINES: where tasks run; cluster.py: Ray
journal.py       which tasks are done; progress.py: counts, reports, the list of files
manifest.py      dataset.json: written and validated
store.py         Store, the interface of a destination; local.py, remote.py: the implementations
build.py         write_dataset: create or resume, then publish
reproduction.py  regenerate a data set from dataset.json and compare
"""
