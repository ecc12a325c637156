"""Many files at once: each is packed or repacked by a process of its own, and noted in a log.

`many` has the public functions, `repack_many` and `pack_many`. `discovery` finds the files and says
what each output is called. `decisions` says which of them are done already, from the log of earlier
runs (`run_log`) and from what is there. `one_file` does the work on one file, `runners` has it done
by threads, by a cluster, or by the processes of `children`, which run `child`. `outcomes` is what
comes of it.
"""
