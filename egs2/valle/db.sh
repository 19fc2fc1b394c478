#!/usr/bin/env bash
# Where corpora lie, if --db does not say.
export FOLDER=
