"""The commands of ``nstyle``, one file each."""
