"""Which order and which coding the frames of a pile get.

`methods` lists the methods of `pack`: how frames are ordered, and as what they are kept.
`profiles` lists what "fast", "balanced" and "small" want. `quality` reads what the user asks of
exactness. `arrangement` puts similar frames into piles where a sample shows that it pays.
`sampling` takes the sample of a pile, and `trials` codes it in every way that the profile
allows and chooses one.
"""
