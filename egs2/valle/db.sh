#!/usr/bin/env bash
# shellcheck disable=SC2034  # read by run.sh
# Where corpora lie, if --db does not say; the names are ESPnet's. `downloads`: fetched into downloads/CORPUS here.
FOLDER=
LJSPEECH=downloads
VCTK=downloads
LIBRITTS=downloads
LIBRITTS_R=downloads
LIBRISPEECH=downloads
LIBRISPEECH_TEST=downloads # test-clean alone
LIBRIHEAVY=downloads
LIBRILIGHT=downloads
AISHELL3=downloads
EMOVDB=downloads
ESD= # handed out by hand: where it lies, or --db
AN4=downloads
SPEECHOCEAN762=downloads
