"""The beats of the MIT-BIH annotations, their AAMI classes, and the records of the inter-patient split."""

import numpy as np

#: The five classes of ANSI/AAMI EC57, and the annotation symbols of each.
AAMI5 = {
    "N": "NLRBejn",  # normal, bundle branch block left, right and not said which; escape atrial, nodal, either
    "S": "AaJS",  # premature: atrial, the same with aberrant conduction, nodal, supraventricular
    "V": "VEr",  # premature ventricular, ventricular escape, R on T
    "F": "F",  # fusion of a ventricular and a normal beat
    "Q": "/fQ?",  # paced, fusion of paced and normal, unclassifiable, not classified
}
#: The same without Q, which has 15 beats in the 44 records without a pacemaker.
AAMI4 = {name: symbols for name, symbols in AAMI5.items() if name != "Q"}
CLASSES = {"AAMI5": AAMI5, "AAMI4": AAMI4}
BEAT_SYMBOLS = "".join(AAMI5.values())

PACED = ("102", "104", "107", "217")
DS1 = (
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
)  # fmt: skip
DS2 = (
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
)  # fmt: skip


def is_beat(symbols):
    """Say which annotation symbols mark a beat, and not a change of rhythm, noise or a single wave.

    Parameters
    ----------
    symbols : sequence of str

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> is_beat(["N", "+", "V", "~"])
    array([ True, False,  True, False])
    """
    return np.isin(np.asarray(symbols, dtype="U1"), list(BEAT_SYMBOLS))


def class_labels(symbols, classes="AAMI5"):
    """Return the class of each beat as a number.

    Parameters
    ----------
    symbols : sequence of str
        Annotation symbols of beats.
    classes : {"AAMI5", "AAMI4"} or dict of str to str
        N, S, V, F and Q; or without Q; or your own classes, each with the symbols that belong to it.

    Returns
    -------
    ndarray of int64, shape (beat,)
        The place of the class in ``classes``; -1 for a symbol that is in none.

    Raises
    ------
    ValueError
        If there are no such classes, or a symbol is in two of them or marks no beat.

    Examples
    --------
    >>> class_labels(["N", "L", "A", "V", "F", "/"])
    array([0, 0, 1, 2, 3, 4])
    >>> class_labels(["N", "V", "/"], classes={"narrow": "NAaJ", "wide": "VLR"})
    array([ 0,  1, -1])
    """
    of_symbol = {s: k for k, group in enumerate(check_classes(classes).values()) for s in group}
    return np.array([of_symbol.get(symbol, -1) for symbol in symbols], dtype=np.int64)


def check_classes(classes):
    """Return the classes as a dict from their names to their symbols, or say what is wrong with them."""
    if isinstance(classes, str):
        if classes not in CLASSES:
            raise ValueError(f"classes must be one of {', '.join(CLASSES)} or a dict such as {AAMI4}, got {classes!r}.")
        return CLASSES[classes]
    if not isinstance(classes, dict) or not classes or not all(isinstance(g, str) for g in classes.values()):
        raise ValueError(f"classes must be a dict from names to symbols, such as {AAMI4}, got {classes!r}.")
    listed = "".join(classes.values())
    for symbol in listed:
        if symbol not in BEAT_SYMBOLS or listed.count(symbol) > 1:
            fault = "stands twice" if symbol in BEAT_SYMBOLS else "marks no beat"
            raise ValueError(f"the symbol {symbol!r} {fault} in classes; each of {BEAT_SYMBOLS} may stand once.")
    return classes
