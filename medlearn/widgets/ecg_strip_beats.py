"""The beats of a record, each with its annotation, its class, and what a model said."""

from dataclasses import dataclass

import numpy as np

from medlearn.data.ecg_classes import BEAT_SYMBOLS, check_classes, class_labels


@dataclass(frozen=True)
class Beat:
    """One beat of the record: when, its symbol and class, and the prediction and its class ("" where there is none)."""

    time_s: float
    symbol: str
    label: str
    prediction: str
    predicted_label: str

    @property
    def differs(self):
        """Whether annotation and prediction are of two classes."""
        return "" not in (self.label, self.predicted_label) and self.label != self.predicted_label

    @property
    def annotated(self):
        """The symbol, and its class where that is another letter."""
        return self.symbol if self.label in ("", self.symbol) else f"{self.symbol} ({self.label})"


def compare_beats(record, predictions, classes):
    """Return every beat of a record with its prediction, or say what is wrong with the predictions.

    Parameters
    ----------
    record : EcgRecord
    predictions : sequence of str or None
        One for each beat; None for none at all.
    classes : {"AAMI5", "AAMI4"} or dict
        Which symbols are of one class.

    Returns
    -------
    list of Beat
    """
    names = [*check_classes(classes), ""]  # the last for -1, no class
    count = len(record.beats)
    if predictions is not None and len(predictions) != count:
        raise ValueError(
            f"predictions must hold one for each of the {count} beats of {record.name}, got {len(predictions)}. A beat"
            " without a prediction, at the edge of the record, say, has None."
        )
    said = [""] * count if predictions is None else [_cleaned(each) for each in predictions]
    for each in said:
        if each and each not in names and each not in BEAT_SYMBOLS:
            raise ValueError(
                f"the prediction {each!r} is neither a class ({', '.join(names[:-1])}) nor the symbol of a beat. Turn"
                " class numbers into names: np.array(class_names)[numbers]."
            )
    labels = [names[k] for k in class_labels(record.symbols, classes)]
    predicted = [each if each in names else names[class_labels([each], classes)[0]] for each in said]
    columns = zip(record.beats_s, record.symbols, labels, said, predicted, strict=True)
    return [Beat(float(time_s), str(symbol), *rest) for time_s, symbol, *rest in columns]


def _cleaned(prediction):
    missing = prediction is None or (isinstance(prediction, float) and np.isnan(prediction))
    return "" if missing else str(prediction)
