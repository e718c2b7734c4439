"""The risk that a nodule found at a first screening CT is cancer: the Brock University (PanCan) model."""

import math

from medlearn.data.options import check_flag, check_number, check_whole

NODULE_TYPES = ("solid", "part-solid", "ground-glass")
_TYPE = {"solid": 0.0, "part-solid": 0.377, "ground-glass": -0.1276}


def brock_probability(
    diameter_mm, *, age, female, nodule_type="solid", upper_lobe=False, spiculated=False, nodule_count=1,
    emphysema=False, family_history=False,
):  # fmt: skip
    """Return the probability of cancer of one nodule by the full Brock model with spiculation (model 2b).

    The parsimonious models leave out age, family history, emphysema, type and count; the full model is the one that
    guidelines use.

    Parameters
    ----------
    diameter_mm : float
        The longest diameter, 0.1 to 300.
    age : float
        Years, 18 to 110. The model was made for 50 to 75.
    female, upper_lobe, spiculated, emphysema : bool
    family_history : bool
        Lung cancer in a relative of the first degree.
    nodule_type : {"solid", "part-solid", "ground-glass"}
    nodule_count : int
        Nodules in the scan with this one, 1 to 1000.

    Returns
    -------
    float, 0 to 1

    Raises
    ------
    ValueError
        If the diameter, the age, the count or the type is not possible, or a flag is neither True nor False.

    Examples
    --------
    A woman of 62 with one smooth, solid nodule of 4 mm in a lower lobe, then with a spiculated one of 20 mm:

    >>> round(brock_probability(4, age=62, female=True), 4)
    0.0026
    >>> round(brock_probability(20, age=62, female=True, spiculated=True, upper_lobe=True), 2)
    0.55

    References
    ----------
    McWilliams A et al., N Engl J Med 369:910, 2013, doi:10.1056/NEJMoa1214726. The same coefficients, not centred, are
    in table 2 of doi:10.1007/s00330-019-06168-x.
    """
    diameter_mm = check_number("diameter_mm", diameter_mm, 0.1, 300)
    age = check_number("age", age, 18, 110, hint=" years")
    nodule_count = check_whole("nodule_count", nodule_count, 1, 1000)
    if nodule_type not in NODULE_TYPES:
        raise ValueError(f"nodule_type must be one of {', '.join(NODULE_TYPES)}, got {nodule_type!r}.")
    log_odds = (
        0.0287 * (age - 62)
        + 0.6011 * check_flag("female", female)
        + 0.2961 * check_flag("family_history", family_history)
        + 0.2953 * check_flag("emphysema", emphysema)
        - 5.3854 * ((diameter_mm / 10) ** -0.5 - 1.58113883)  # 0 at 4 mm
        + _TYPE[nodule_type]
        + 0.6581 * check_flag("upper_lobe", upper_lobe)
        - 0.0824 * (nodule_count - 4)
        + 0.7729 * check_flag("spiculated", spiculated)
        - 6.7892
    )
    return 1 / (1 + math.exp(-log_odds))
