#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --comment=TOKEN
#SBATCH --cpus-per-task=8
#SBATCH --error=JOBS/%A_%a_0_log.err
#SBATCH --gpus-per-node=8
#SBATCH --job-name=nacbench-mine
#SBATCH --mem=491520M
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8
#SBATCH --open-mode=append
#SBATCH --output=JOBS/%A_%a_0_log.out
#SBATCH --partition=gpu
#SBATCH --requeue
#SBATCH --signal=USR2@180
#SBATCH --time=2880
#SBATCH --wckey=submitit

# setup
trap '[ "$(kill -l $? 2>/dev/null)" = USR2 ] && scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"' EXIT
export PYTHONSAFEPATH=1

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output JOBS/%A_%a_%t_log.out --error JOBS/%A_%a_%t_log.err --kill-on-bad-exit=1 PYTHON -c 'import os,signal,sys;signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR2]);os.execv(sys.executable,[sys.executable,*sys.argv[1:]])' -u -m submitit.core._submit JOBS
