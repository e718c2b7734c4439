"""Exercises of lesson 00, Start here."""

import numpy as np

from medlearn.exercises.engine import exercise


def divided_by_the_largest(image):
    return image / image.max()


def divided_by_the_largest_after_subtracting(image):
    return (image - image.min()) / image.max()


def clipped(image):
    return np.clip(image, 0.0, 1.0)


def standardised(image):
    return (image - image.mean()) / image.std()


@exercise(
    task="Return the image rescaled in a straight line, so that its smallest value becomes 0 and its largest 1.",
    cases=lambda rng: [(np.array([[2.0, 4.0], [6.0, 10.0]]),), (rng.normal(40.0, 12.0, size=(4, 5)),)],
    mistakes=[
        (divided_by_the_largest, "You divided by the largest value. The smallest is not 0 then: subtract it first."),
        (
            divided_by_the_largest_after_subtracting,
            "You subtracted the smallest value, then divided by the largest of the original image."
            " Divide by the range, largest minus smallest.",
        ),
        (clipped, "You cut the values off at 0 and 1. Every value above 1 became the same: stretch, do not cut."),
        (standardised, "You subtracted the mean and divided by the standard deviation. That is another scaling."),
    ],
    hints=[
        "Two steps: first make the smallest value 0, then make the largest 1.",
        "After `image - image.min()` the largest value is the range, `image.max() - image.min()`.",
    ],
)
def normalise(image):
    return (image - image.min()) / (image.max() - image.min())


@exercise(
    task="A chest CT has 275 slices of 512 rows and 512 columns. How many voxels does it have?",
    mistakes=[
        (lambda: 512 * 512, "That is one slice. The scan has 275 of them."),
        (lambda: 512 + 512 + 275, "You added the three lengths. A box of voxels is a product."),
        (lambda: 275 * 512, "You multiplied two of the three lengths. Rows, columns and slices all count."),
    ],
    hints=["How many pixels does one slice have?", "Rows times columns times slices."],
)
def num_voxels():
    return 275 * 512 * 512


@exercise(
    task="Which fraction of those called ill is ill? Sensitivity 0.95, specificity 0.95, prevalence 0.01.",
    mistakes=[
        (
            lambda: 0.95,
            "That is the sensitivity: of the ill, the fraction that is called ill. Here it is asked the other way.",
        ),
        (
            lambda: 0.01 * 0.95,
            "That is the fraction of all people who are ill and called ill. Divide it by all who are called ill.",
        ),
        (
            lambda: 0.01 * 0.95 / (0.01 * 0.95 + 0.99 * 0.95),
            "You let the test call 95 % of the healthy ill. The specificity is the fraction it calls healthy.",
        ),
        (
            lambda: 100 * 0.01 * 0.95 / (0.01 * 0.95 + 0.99 * 0.05),
            "That is the answer in percent. A fraction lies between 0 and 1.",
        ),
        (
            lambda: 1 - 0.01 * 0.95 / (0.01 * 0.95 + 0.99 * 0.05),
            "That is the fraction that is healthy, the false alarms.",
        ),
    ],
    rtol=1e-2,  # two digits will do
    hints=[
        "Take 10,000 people. How many are ill, and how many of those does the test find?",
        "100 are ill, 95 of them are found. 9,900 are healthy, and 5 % of them are called ill too.",
    ],
)
def positive_predictive_value():
    sensitivity, specificity, prevalence = 0.95, 0.95, 0.01
    true_alarms = prevalence * sensitivity
    false_alarms = (1 - prevalence) * (1 - specificity)
    return true_alarms / (true_alarms + false_alarms)
