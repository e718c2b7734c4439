"""The Brock model against hand arithmetic, and against its second publication."""

import math

import numpy as np
import pytest

from medlearn.data import brock_probability


def test_brock_of_a_high_risk_by_hand():
    # A man of 72 with emphysema and lung cancer in the family, one of a single spiculated solid nodule of 18 mm in an
    # upper lobe. Log odds: age 0.0287 * 10 = 0.2870, family 0.2961, emphysema 0.2953,
    # size -5.3854 * (1.8^-0.5 - 1.58113883) = -5.3854 * (0.74535599 - 1.58113883) = 4.5010,
    # upper lobe 0.6581, count -0.0824 * (1 - 4) = 0.2472, spiculation 0.7729, constant -6.7892: sum 0.2684.
    # 1 / (1 + e^-0.2684) = 0.5667
    risk = brock_probability(18, age=72, female=False, upper_lobe=True, spiculated=True, emphysema=True,
                             family_history=True)  # fmt: skip
    assert round(risk, 3) == 0.567


def test_brock_of_a_low_risk_by_hand():
    # A man of 62 with four solid nodules, this one 4 mm, smooth, in a lower lobe: all terms are 0 but the constant.
    # 1 / (1 + e^6.7892) = 0.001125
    assert brock_probability(4, age=62, female=False, nodule_count=4) == pytest.approx(0.001125, abs=2e-6)


@pytest.mark.parametrize("nodule_type", ["solid", "part-solid", "ground-glass"])
@pytest.mark.parametrize("diameter_mm", [3.0, 8.0, 25.0])
def test_brock_agrees_with_its_form_that_is_not_centred(diameter_mm, nodule_type):
    # Table 2 of doi:10.1007/s00330-019-06168-x: intercept 0.2761 and the plain variables.
    kind = {"solid": 0.0, "part-solid": 0.377, "ground-glass": -0.1276}[nodule_type]
    log_odds = 0.2761 + 0.0287 * 55 + 0.6011 + 0.2953 + kind - 5.3854 * (diameter_mm / 10) ** -0.5 - 0.0824 * 2
    ours = brock_probability(
        diameter_mm, age=55, female=True, emphysema=True, nodule_type=nodule_type, nodule_count=2
    )
    assert math.log(ours / (1 - ours)) == pytest.approx(log_odds, abs=2e-4)  # 0.2761 has four digits


def test_brock_rises_with_size_and_spiculation():
    risks = [brock_probability(d, age=60, female=False) for d in (3, 6, 12, 24)]
    assert risks == sorted(risks) and risks[-1] > 20 * risks[0]
    assert brock_probability(10, age=60, female=False, spiculated=True) > brock_probability(10, age=60, female=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diameter_mm": 0}, "diameter_mm must be 0.1 to 300, got 0"),
        ({"diameter_mm": math.nan}, "diameter_mm must be 0.1 to 300, got nan"),
        ({"diameter_mm": 1e-10}, "diameter_mm must be 0.1 to 300, got 1e-10"),
        ({"diameter_mm": "8"}, "diameter_mm must be 0.1 to 300, got '8'"),
        ({"diameter_mm": np.array([4.0, 8.0])}, r"diameter_mm must be 0.1 to 300, got array\(\[4., 8.\]\)"),
        ({"female": "no"}, "female must be True or False, got 'no'"),
        ({"spiculated": 3.0}, "spiculated must be True or False, got 3.0"),
        ({"emphysema": None}, "emphysema must be True or False, got None"),
        ({"nodule_count": 10**6}, "nodule_count must be a whole number, 1 to 1000, got 1000000"),
        ({"age": 12}, "age must be 18 to 110 years, got 12"),
        ({"nodule_type": "cystic"}, "nodule_type must be one of solid, part-solid, ground-glass, got 'cystic'"),
        ({"nodule_count": 0}, "nodule_count must be a whole number, 1 to 1000, got 0"),
    ],
)
def test_brock_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        brock_probability(**{"diameter_mm": 8, "age": 60, "female": True} | options)
