"""Is a stack sound, and what can be saved of one that is not?

`verification` decodes a stack and checks it (`verify`); `fidelity` measures how far its frames are
from what was packed (`check`). `salvage` saves what is intact (`recover`): through `rescue` where
the file's structure can be read, else through `carving`, which finds blocks in its bytes.
`rehashing` makes the hash tables anew, `remapping` the dataset `frames`.
"""
