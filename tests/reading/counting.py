"""Count the frames that are decoded."""

from h5vidstack.codecs import block


def counting(monkeypatch):
    calls, decode = [], block._decode

    def counted(parsed, pixels):
        calls.append(len(pixels))
        decode(parsed, pixels)

    monkeypatch.setattr(block, "_decode", counted)
    return calls
