"""Exercises of lesson 05b, Honest evaluation: intervals, patients, paired tests, sample size, six flawed reports."""

import numpy as np
from scipy import stats

from medlearn.exercises.compare import same
from medlearn.exercises.engine import exercise


def _wilson_with(*, centre=lambda p, n, z: p + z**2 / (2 * n), inside=lambda n, z: z**2 / (4 * n**2), shrink=True):
    """Return a mistaken Wilson interval: another centre, another term under the root, or no division at the end."""

    def mistaken(successes, n, z):
        p = successes / n
        half = z * np.sqrt(p * (1 - p) / n + inside(n, z))
        below = 1 + z**2 / n if shrink else 1
        return (centre(p, n, z) - half) / below, (centre(p, n, z) + half) / below

    return mistaken


def _two_limits(result, expected):
    """Compare two limits, in a tuple, a list or an array."""
    array = isinstance(result, np.ndarray) and result.shape == (2,)
    return same(result.tolist() if array else result, expected)


@exercise(
    task="Solve the score equation: return the two limits (low, high) of the Wilson interval.",
    cases=lambda rng: [(7, 10, 1.96), (0, 20, 1.96), (23, 25, 2.576), (50, 50, 1.645), (3, 400, 1.96)],
    mistakes=[
        (
            _wilson_with(centre=lambda p, n, z: p, inside=lambda n, z: 0, shrink=False),
            "That is Wald's interval: it takes the standard error at the observed share. Solve the quadratic in p.",
        ),
        (
            _wilson_with(shrink=False),
            "The quadratic's leading coefficient is missing. Divide both limits by 1 + z² / n.",
        ),
        (
            _wilson_with(inside=lambda n, z: 0),
            "Under the root a term is missing: z² / (4 n²). Without it the interval has width 0 for 0 successes.",
        ),
        (
            _wilson_with(inside=lambda n, z: z**2 / (4 * n)),
            "Under the root stands z² / (4 n²): n is squared too.",
        ),
        (
            _wilson_with(centre=lambda p, n, z: p + z**2 / n),
            "The centre is too far in. The middle of the two roots is -b / (2a), so z² / n is halved: z² / (2 n).",
        ),
        (
            _wilson_with(centre=lambda p, n, z: p),
            "The centre did not move. Wilson pulls it towards a half: p + z² / (2 n) before the division.",
        ),
        (
            lambda successes, n, z: _wilson_with()(successes, n, z)[::-1],
            "The two limits are right and stand in the wrong order: (low, high).",
        ),
        (
            lambda successes, n, z: _wilson_with()(successes, n, 1.96),
            "You took 1.96 for z. It comes as an argument: other levels have another z.",
        ),
        (
            lambda successes, n, z: tuple(stats.binomtest(successes, n).proportion_ci(method="wilson")),
            "SciPy's interval has a level of 95 % here, whatever z is. Solve the quadratic for the z that comes.",
        ),
        (
            lambda successes, n, z: tuple(-limit for limit in _wilson_with()(successes, n, z)[::-1]),
            "Both limits have the wrong sign: the middle coefficient is -(2 s + z² / n), with a minus.",
        ),
    ],
    compare=_two_limits,
    hints=[
        "Square both sides and collect powers of p: (1 + z²/n) p² - (2 s + z²/n) p + s² = 0, with s = successes / n.",
        "The roots are (-b ± sqrt(b² - 4ac)) / (2a). The smaller one is the lower limit.",
        "centre = s + z²/(2n), half = z sqrt(s(1-s)/n + z²/(4n²)); both divided by 1 + z²/n.",
    ],
)
def wilson(successes, n, z):
    share = successes / n
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


@exercise(
    task="No event in n patients: return the largest rate p for which that still has probability 1 - level.",
    cases=lambda rng: [(10, 0.95), (100, 0.95), (25, 0.99), (400, 0.8)],
    mistakes=[
        (
            lambda n, level: 3 / n,
            "That is the rule of three: an approximation, and for a level of 0.95 only. Solve (1 - p)^n = 1 - level.",
        ),
        (lambda n, level: 0.0, "No event was seen, but the true rate need not be zero. Which p makes it unlikely?"),
        (
            lambda n, level: 1 - level ** (1 / n),
            "You solved (1 - p)^n = level. No event should be as unlikely as 1 - level.",
        ),
        (
            lambda n, level: (1 - level) ** (1 / n),
            "That is 1 - p, the probability that one patient has no event. Take it from 1.",
        ),
        (
            lambda n, level: 1 - ((1 - level) / 2) ** (1 / n),
            "You shared 1 - level between two ends. There is no lower end here: 0 events has nothing below it.",
        ),
        (
            lambda n, level: -np.log(1 - level) / n,
            "That is the first term of the logarithm's series, behind the rule of three. Solve the equation exactly.",
        ),
        (
            lambda n, level: 100 * (1 - (1 - level) ** (1 / n)),
            "That is the rate in per cent. Return it as a probability between 0 and 1.",
        ),
    ],
    hints=[
        "One patient has no event with probability 1 - p. And n patients, one as independent as the other?",
        "(1 - p)^n = 1 - level. Take the n-th root of both sides.",
    ],
)
def upper_limit(n, level):
    return 1 - (1 - level) ** (1 / n)


@exercise(
    task="30 patients with 20 images each, ICC 0.3: how many independent images tell as much?",
    mistakes=[
        (lambda: 600, "That is all the images, as if each were its own patient. Divide by the design effect."),
        (lambda: 30, "That would be right if all the images of a patient told the same: ICC 1."),
        (lambda: 600 / (1 + 20 * 0.3), "An image has m - 1 = 19 others of its patient beside it, not 20."),
        (lambda: 600 / (1 + 29 * 0.3), "m is the number of images of one patient, not the number of patients."),
        (lambda: 1 + 19 * 0.3, "That is the design effect. Divide the number of images by it."),
        (lambda: 600 / np.sqrt(1 + 19 * 0.3), "The root is for the interval's width. The number of images needs none."),
        (lambda: 600 * (1 + 19 * 0.3), "You multiplied. Images that resemble each other are worth less: divide."),
        (lambda: 600 / (19 * 0.3), "The design effect is 1 + (m - 1) ICC. The 1 is missing."),
    ],
    rtol=1e-2,  # two digits will do
    hints=[
        "The design effect is the factor by which the variance grows: 1 + (m - 1) ICC, with m images a patient.",
        "The variance of a mean falls with 1 / n. A variance 6.7 times larger is that of 6.7 times fewer images.",
    ],
)
def effective_images():
    patients, images, icc = 30, 20, 0.3
    return patients * images / (1 + (images - 1) * icc)


def _sorted_indices(value):
    """Return indices in ascending order, or what came where it is no row of numbers."""
    try:
        array = np.array(value) if isinstance(value, (list, tuple)) else value
    except ValueError:  # its items differ in length
        return value
    return np.sort(array) if isinstance(array, np.ndarray) and array.ndim == 1 else value


def _in_any_order(result, expected):
    """Compare two collections of indices; a bootstrap does not care in which order its items come."""
    return same(_sorted_indices(result), _sorted_indices(expected))


@exercise(
    task="Return the indices of all items of the drawn patients; a patient drawn twice comes twice.",
    cases=lambda rng: [
        (np.array([0, 0, 1, 2, 2, 2]), np.array([2, 0, 2])),
        (np.array([3, 1, 3, 0, 2, 1, 3]), np.array([1, 1, 3, 3])),
        (rng.integers(8, size=40), rng.integers(8, size=8)),
    ],
    mistakes=[
        (
            lambda patients, drawn: np.flatnonzero(np.isin(patients, drawn)),
            "A patient who was drawn twice comes once. np.isin asks only whether; go through `drawn` one by one.",
        ),
        (
            lambda patients, drawn: np.array([np.flatnonzero(patients == patient)[0] for patient in drawn]),
            "You took one item of each patient. All of them come along: that is what keeps them together.",
        ),
        (
            lambda patients, drawn: np.array(drawn),
            "`drawn` has numbers of patients, not of items. Look up where `patients` equals each of them.",
        ),
        (
            lambda patients, drawn: np.concatenate([patients[patients == patient] for patient in drawn]),
            "You returned the patients' numbers. Asked are the places where they stand: np.flatnonzero.",
        ),
        (
            lambda patients, drawn: [np.flatnonzero(patients == patient) for patient in drawn],
            "The items are right, and still one array for each patient. Join them: np.concatenate.",
        ),
    ],
    compare=_in_any_order,
    hints=[
        "For one patient: np.flatnonzero(patients == patient). How do you do that for every entry of `drawn`?",
        "A list comprehension over `drawn`, then np.concatenate.",
    ],
)
def resampled_items(patients, drawn):
    return np.concatenate([np.flatnonzero(patients == patient) for patient in drawn])


def _pairs(ill, healthy, *, tie=0.5):
    """Return psi for every pair, (ill, healthy): 1 ordered, ``tie`` tied, 0 the wrong way round."""
    difference = ill[:, np.newaxis] - healthy
    return (difference > 0) + tie * (difference == 0)


def _delong_with(*, tie=0.5, ddof=1, swap=False):
    """Return a mistaken standard error: other ties, another divisor, or the sizes exchanged."""

    def mistaken(ill, healthy):
        psi = _pairs(ill, healthy, tie=tie)
        m, n = psi.shape[::-1] if swap else psi.shape
        return np.sqrt(psi.mean(axis=1).var(ddof=ddof) / m + psi.mean(axis=0).var(ddof=ddof) / n)

    return mistaken


def _pairs_as_independent(ill, healthy):
    auc = _pairs(ill, healthy).mean()
    return np.sqrt(auc * (1 - auc) / (len(ill) * len(healthy)))


@exercise(
    task="Return DeLong's standard error of the AUC from the scores of the ill and of the healthy.",
    cases=lambda rng: [
        (np.array([3.0, 2.0, 2.0, 5.0]), np.array([1.0, 2.0, 0.0])),
        (rng.normal(1, 1, size=12), rng.normal(size=30)),
        (rng.integers(2, 6, size=9).astype(float), rng.integers(0, 4, size=15).astype(float)),
    ],
    mistakes=[
        (
            _pairs_as_independent,
            "You counted every pair as a patient. Pairs share patients: m * n of them are not m * n cases.",
        ),
        (
            _delong_with(ddof=0),
            "The variances are divided by m and n. They are estimated: divide by m - 1 and n - 1, ddof=1.",
        ),
        (_delong_with(tie=0.0), "Ties count as nothing here. A tied pair counts one half."),
        (_delong_with(tie=1.0), "Ties count as ordered here. A tied pair counts one half."),
        (
            _delong_with(swap=True),
            "m and n are exchanged. The placements of the m ill have their variance divided by m.",
        ),
        (
            lambda ill, healthy: _delong_with()(ill, healthy) ** 2,
            "That is the variance. The standard error is its square root.",
        ),
        (
            lambda ill, healthy: sum(stats.sem(_pairs(ill, healthy).mean(axis=axis)) for axis in (1, 0)),
            "You added standard errors. Variances add: take the root of their sum.",
        ),
        (
            lambda ill, healthy: np.sqrt(_pairs(ill, healthy).mean(axis=1).var(ddof=1) / len(ill)),
            "The healthy are missing. They are a sample too, and add their own variance.",
        ),
        (
            lambda ill, healthy: np.sqrt(
                _pairs(ill, healthy).mean(axis=1).var(ddof=1) + _pairs(ill, healthy).mean(axis=0).var(ddof=1)
            ),
            "That is the spread of single patients. The AUC is their mean: divide the variances by m and by n.",
        ),
    ],
    hints=[
        "First all pairs: (ill[:, np.newaxis] > healthy) + 0.5 * (ill[:, np.newaxis] == healthy), an array (m, n).",
        "Its means along axis 1 are the m placements of the ill, along axis 0 the n placements of the healthy.",
        "Variance of the m placements (ddof=1) over m, plus that of the n placements over n; then the square root.",
    ],
)
def delong_se(ill, healthy):
    difference = ill[:, np.newaxis] - healthy
    psi = (difference > 0) + 0.5 * (difference == 0)  # (m, n)
    of_ill, of_healthy = psi.mean(axis=1), psi.mean(axis=0)
    return np.sqrt(of_ill.var(ddof=1) / len(ill) + of_healthy.var(ddof=1) / len(healthy))


def _discordant(a_right, b_right):
    return int(np.sum(a_right & ~b_right)), int(np.sum(~a_right & b_right))


def _right_or_not(only_a, only_b, both, neither):
    """Return two boolean arrays with these counts of patients."""
    counts = [only_a, only_b, both, neither]
    return tuple(np.repeat(flags, counts) for flags in ([True, False, True, False], [False, True, True, False]))


def _chi_square(correction):
    def mistaken(a_right, b_right):
        only_a, only_b = _discordant(a_right, b_right)
        return stats.chi2.sf((max(abs(only_a - only_b) - correction, 0)) ** 2 / (only_a + only_b), 1)

    return mistaken


def _unpaired(a_right, b_right):
    """Return the p-value of two independent proportions, pooled."""
    pooled, n = (a_right.mean() + b_right.mean()) / 2, len(a_right)
    return 2 * stats.norm.sf(abs(a_right.mean() - b_right.mean()) / np.sqrt(2 * pooled * (1 - pooled) / n))


@exercise(
    task="Return the exact two-sided p-value of McNemar's test; the arguments say for each patient who was right.",
    cases=lambda rng: [
        _right_or_not(2, 11, 60, 7),
        _right_or_not(9, 3, 20, 1),
        _right_or_not(4, 4, 30, 2),
        _right_or_not(0, 6, 10, 0),
    ],
    mistakes=[
        (
            lambda a_right, b_right: stats.binom.cdf(
                min(_discordant(a_right, b_right)), sum(_discordant(a_right, b_right)), 0.5
            ),
            "That is one tail. Either model might have been the better one: double it (and cap it at 1).",
        ),
        (
            lambda a_right, b_right: (
                2 * stats.binom.cdf(min(_discordant(a_right, b_right)), sum(_discordant(a_right, b_right)), 0.5)
            ),
            "A p-value over 1: with as many on one side as on the other, both tails hold the middle. Cap it at 1.",
        ),
        (
            _chi_square(0),
            "That is the chi-square approximation. With few discordant patients it is too small: use the binomial.",
        ),
        (
            _chi_square(1),
            "That is the chi-square approximation with the continuity correction. Use the exact binomial tails.",
        ),
        (
            _unpaired,
            "That is the test for two independent groups. These are the same patients: only the discordant ones count.",
        ),
        (
            lambda a_right, b_right: stats.binomtest(int(b_right.sum()), len(b_right), a_right.mean()).pvalue,
            "You tested B's accuracy against A's, as if A's were known. Compare patient by patient.",
        ),
        (
            lambda a_right, b_right: stats.binomtest(_discordant(a_right, b_right)[0], len(a_right), 0.5).pvalue,
            "You took all patients as n. Those whom both got right, or both wrong, say nothing about the difference.",
        ),
        (
            lambda a_right, b_right: stats.binomtest(int(a_right.sum()), int(a_right.sum() + b_right.sum())).pvalue,
            "You counted those whom both got right, on both sides. Only the discordant ones are tosses of the coin.",
        ),
        (
            lambda a_right, b_right: stats.binom.sf(
                _discordant(a_right, b_right)[0] - 1, sum(_discordant(a_right, b_right)), 0.5
            ),
            "That is the tail on A's side alone. Either model might have been the better one: take both tails.",
        ),
    ],
    hints=[
        "Count two kinds of patients: A right and B wrong, A wrong and B right. The others do not enter.",
        "If the models are equally good, each discordant patient is a fair coin. stats.binomtest(k, n, 0.5).pvalue",
    ],
)
def mcnemar(a_right, b_right):
    only_a = int(np.sum(a_right & ~b_right))
    only_b = int(np.sum(~a_right & b_right))
    return stats.binomtest(only_a, only_a + only_b, 0.5).pvalue


@exercise(
    task="Return how many patients to recruit, a whole number: a sensitivity to ± half_width at 95 % (z = 1.96).",
    cases=lambda rng: [(0.9, 0.05, 0.1), (0.8, 0.03, 0.25), (0.95, 0.04, 0.007), (0.7, 0.1, 0.47), (0.6, 0.08, 0.2)],
    mistakes=[
        (
            lambda sensitivity, half_width, prevalence: int(np.ceil(_num_ill(sensitivity, half_width))),
            "That many ILL patients are needed. Only a share `prevalence` of those you recruit is ill.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(_num_ill(sensitivity, half_width) / prevalence),
            "You rounded down: the interval is then a little too wide. Round up.",
        ),
        (
            lambda sensitivity, half_width, prevalence: round(_num_ill(sensitivity, half_width) / prevalence),
            "You rounded to the nearest number, which may be too few. Round up.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(np.ceil(_num_ill(sensitivity, half_width)) / prevalence)
            ),
            "You rounded twice. Round once, at the end.",
        ),
        (
            lambda sensitivity, half_width, prevalence: _num_ill(sensitivity, half_width) / prevalence,
            "There are no fractions of patients. Round up to a whole number (int).",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, half_width) * (stats.norm.ppf(0.975) / 1.96) ** 2 / prevalence)
            ),
            "You are a few patients off: the task takes z = 1.96, not 1.959964.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, half_width / 2) / prevalence)
            ),
            "You asked for half of the half-width. It is given as ±: the distance from the middle to one end.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, 2 * half_width) / prevalence)
            ),
            "You took half_width for the full width. It is given as ±: the distance from the middle to one end.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(np.ceil(_num_ill(sensitivity, half_width) * prevalence)),
            "Fewer patients than ill ones? Divide by the prevalence.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(np.ceil(_num_ill(prevalence, half_width))),
            "The variance is that of the sensitivity, p(1 - p) with p = sensitivity. The prevalence comes in after it.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, half_width) / 1.96 / prevalence)
            ),
            "z stands squared, because the formula is solved for n and n stands under a root.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, half_width) * half_width / prevalence)
            ),
            "half_width stands squared, because the formula is solved for n and n stands under a root.",
        ),
        (
            lambda sensitivity, half_width, prevalence: int(
                np.ceil(_num_ill(sensitivity, half_width) / (1 - prevalence))
            ),
            "1 - prevalence is the share of the healthy. The ill are counted here: divide by the prevalence.",
        ),
    ],
    hints=[
        "half_width = z sqrt(p(1 - p) / n). Solve for n, the number of ill patients.",
        "n = z² p(1 - p) / half_width². To meet n ill patients, on average, recruit n / prevalence.",
        "int(np.ceil(...)) of that.",
    ],
)
def patients_needed(sensitivity, half_width, prevalence):
    num_ill = 1.96**2 * sensitivity * (1 - sensitivity) / half_width**2
    return int(np.ceil(num_ill / prevalence))


def _num_ill(share, half_width):
    """Return how many ill patients give an interval of share ± half_width, not rounded."""
    return 1.96**2 * share * (1 - share) / half_width**2


# --- Find the flaw -----------------------------------------------------------------------------------------------


def _same_letter(result, expected):
    return isinstance(result, str) and result.strip(" .()\"'").upper() == expected


def _flaw(reasons, hints):
    """Return the decorator of a report's exercise; ``reasons`` maps each wrong letter to why it is not the flaw."""
    return exercise(
        task='Which flaw makes the report\'s claim worthless? Give the letter, such as "A".',
        mistakes=[(lambda letter=letter: letter, f"{letter} is not it. {why}") for letter, why in reasons.items()],
        hints=hints,
        compare=_same_letter,
    )


@_flaw(
    {
        "A": "Balanced classes change the precision that a clinic will see. They do not lift the accuracy of a network"
        " that cannot see the disease from 0.5 to 0.99.",
        "B": "The validation loss chose the epoch, and the test set was used once. That much is as it should be.",
        "D": "It is given. It is too narrow, as it counts 480 images of far fewer people, but a right one would still"
        " lie round a wrong number.",
        "E": "Natural images hold none of these patients, so nothing leaks from them.",
    },
    hints=["What was shuffled: patients or images?", "40 slices of every patient: where do they end up?"],
)
def flaw_1():
    # 4,800 images of 120 people, shuffled image by image: of a person's 40 slices about 32 are in training.
    # The network needs to know the person again, not the disease. Split by patient.
    return "C"


@_flaw(
    {
        "A": "One image of each patient, and the 30 were split off beforehand: nobody is on both sides.",
        "B": "Only training images were flipped and turned. That is right.",
        "C": "Wilson's is the right formula, and 28 of 30 does give 0.79 to 0.98, for a model that was chosen without"
        " these 30 patients. This one was not.",
        "D": "They are few, and an interval says so honestly. The last epoch's 24 of 30 would have been a fair result:"
        " 0.80 with its wide interval.",
    },
    hints=["Which patients decided that epoch 63 is the best?", "How many looks did the 30 patients get?"],
)
def flaw_2():
    # The maximum of 80 looks at the same 30 patients. Choose the epoch on validation patients, then test once.
    return "E"


@_flaw(
    {
        "B": "Each patient has one tumour, so no patient is in two folds of one repetition.",
        "C": "Nothing was tuned: the regularisation stayed at its default.",
        "D": "The scaling was done too early as well, but it does not look at the labels. On noise it leaves the AUC at"
        " a half; something else in this report does not.",
        "E": "The AUC does not depend on the share of responders; only its interval does.",
    },
    hints=["What happened before the folds were made, and did it use the labels?"],
)
def flaw_3():
    # The t-tests saw the responders of every fold. The best of so many columns of pure noise would look
    # as good, as in the leakage lab: the selection belongs inside each fold, on its training patients.
    return "A"


@_flaw(
    {
        "A": "DeLong's method compares ranks. It asks for no distribution.",
        "B": "One radiograph of each patient, split by patient: nobody is on both sides.",
        "C": "An AUC needs no threshold. For a triage tool one must come, but that does not make the AUC wrong.",
        "E": "The AUC does not depend on the prevalence.",
    },
    hints=["In what do the two groups differ, besides the disease?", "Why would the shoulders and the borders matter?"],
)
def flaw_4():
    # Ill = adult, lying, intensive care; healthy = child, outpatient, another machine. Telling hospitals or ages apart
    # gives the same AUC. Ill and healthy must come from the same door.
    return "D"


@_flaw(
    {
        "A": "The interval was made by resampling patients, with all their nodules.",
        "C": "The test patients were used once.",
        "D": "The reference is histology, or two years without growth: not the readers' opinion.",
        "E": "Sensitivity and specificity are there, at a threshold that was fixed on validation patients.",
    },
    hints=["Whom will the doctor ask the network about?", "Which nodules are missing from the test set?"],
)
def flaw_5():
    # 412 of 1,006 nodules are left out, and they are those a doctor hesitates over. The test set holds the nodules
    # that need no help. Report all comers, and the indeterminate ones by themselves.
    return "B"


@_flaw(
    {
        "A": "The number of epochs was fixed on eight other patients, and the test patients were used once.",
        "B": "Dice is harsh on small structures, but on both networks alike.",
        "D": "Intervals that do not overlap do show a difference, if each of them is right. Are they?",
        "E": "Patients of another hospital make the test harder and the claim stronger.",
    },
    hints=["How many people were tested?", "What was resampled? Slices of one patient fail together."],
)
def flaw_6():
    # 320 slices, 8 patients. With an ICC of 0.5 the design effect is 1 + 39 * 0.5 = 20.5, so each interval is
    # sqrt(20.5) = 4.5 times too narrow. Resample patients, and pair the two networks patient by patient.
    return "C"
