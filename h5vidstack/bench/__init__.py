"""The comparison of ways to keep a stack: sizes, speeds, memory and errors.

`comparison` runs it for the command `bench`. `contestants` has this package's methods, and
`peers_hdf5`, `peers_images` and `peers_videos` have those of others; `roster` chooses among them by
name. `rounds` runs all contestants in interleaved rounds, each with `measurement` in a process of
its own. `results` has the figures. `table` prints them, `advice` says what to take, and `page` and
`plot` make a web page.
"""
