"""What is known of the frames besides their pixels: axes, coordinates, attributes, origin.

`coordinates` has values along axes, `words` what a source says in its own words, `files` the
files that frames came from, and `description` all of these together, as a source gives them and
a stack keeps them. `time_stamps` has the exact times of frames. `given` reads what users give as
dims, coords and attrs.
"""
