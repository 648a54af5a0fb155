"""What a training changes of the process it runs in, it puts back."""

import numpy as np
import pytest

from selfloop.descent import flushed_denormals

DENORMAL = np.array([5e-324, 1e-310])


def test_denormals_are_flushed_for_a_while():
    with flushed_denormals():
        assert (DENORMAL * 1.0 == 0).all()
    assert (DENORMAL * 1.0 > 0).all()
    with pytest.raises(ValueError, match="in between"), flushed_denormals():
        raise ValueError("in between")
    assert (DENORMAL * 1.0 > 0).all()
