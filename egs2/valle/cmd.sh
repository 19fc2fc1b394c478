#!/usr/bin/env bash
# How trainings on several GPUs are started (espnet2.bin.launch --cmd). On a cluster put Kaldi's slurm.pl, queue.pl or
# the like here, with its options; several nodes (--num_nodes) need one of them.
export train_cmd="utils/run_local.sh"
