import dataclasses

import pytest

from h5vidstack.writing import pack_options
from h5vidstack.writing.option_texts import About, OptionGroup, option


def test_an_option_is_a_field_with_what_is_said_of_it():
    @dataclasses.dataclass
    class Options:
        size: int = option(3, OptionGroup.SMALL, "How much.", least=2, takers=())

    (field,) = dataclasses.fields(Options)
    assert Options().size == 3
    assert field.metadata["about"] == About(
        group=OptionGroup.SMALL, text="How much.", least=2, takers=()
    )


def test_an_option_needs_a_group_and_a_text():
    with pytest.raises(TypeError):
        option(3, OptionGroup.SMALL)
    with pytest.raises(TypeError):
        About(text="How much.")


def test_every_option_of_packing_has_a_group_and_a_whole_sentence():
    for name in pack_options.options_of("pack"):
        said = pack_options.about(name)
        assert isinstance(said.group, OptionGroup)
        assert said.text.endswith((".", "'none'."))
    used = {pack_options.about(name).group for name in pack_options.options_of("pack")}
    assert used == set(OptionGroup) - {OptionGroup.MANY}
