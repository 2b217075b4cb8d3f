#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --comment=TOKEN
#SBATCH --cpus-per-task=2
#SBATCH --error=JOBS/%A_%a_0_log.err
#SBATCH --job-name=nacbench-mine
#SBATCH --mem=3584M
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=JOBS/%A_%a_0_log.out
#SBATCH --partition=main
#SBATCH --requeue
#SBATCH --signal=USR2@90
#SBATCH --time=120
#SBATCH --wckey=submitit

# setup
trap '[ "$(kill -l $? 2>/dev/null)" = USR2 ] && scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"' EXIT
export PYTHONSAFEPATH=1

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output JOBS/%A_%a_%t_log.out --error JOBS/%A_%a_%t_log.err --kill-on-bad-exit=1 PYTHON -c 'import os,signal,sys;signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR2]);os.execv(sys.executable,[sys.executable,*sys.argv[1:]])' -u -m submitit.core._submit JOBS
