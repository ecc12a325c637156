"""Count the frames that are decoded."""

from h5vidstack.codecs import block


def counting(monkeypatch):
    """The list to which each decoded block adds how many frames of it were decoded.

    Only the private function that all ways to decode share can be counted.
    """
    calls, decode = [], block._decode

    def counted(parsed, pixels):
        calls.append(len(pixels))
        decode(parsed, pixels)

    monkeypatch.setattr(block, "_decode", counted)
    return calls
