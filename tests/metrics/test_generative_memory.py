"""The report on memorisation: by hand, by ranks, generators that copy, leaks, and the intervals."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from medlearn import metrics
from medlearn.metrics.generative_memory import _resampled_percentiles, _satterthwaite
from medlearn.metrics.resampling import NUM_RESAMPLES, draw_weights


def test_on_a_line_by_hand():
    # Training at 0 and 100. Unseen at 1, 2, ..., 19: the fifth percentile of 19 is the least, 1 (rank 0.05 * 20 = 1).
    # Made at 0.5, 0.9, 1, 99.5: three lie nearer than 1 (at 1 is not nearer): 3/4.
    # Unseen farther than 0.5, 0.9, 0.5: 19 each; than 1: 18 and one equal: (57 + 18.5) / 76.
    report = metrics.memorisation_report([[0.5], [0.9], [1], [99.5]], [[0], [100]], np.arange(1, 20)[:, None])
    assert report.threshold == 1
    assert report.copies == 0
    assert report.share.value == 0.75
    assert report.auc.value == pytest.approx(75.5 / 76)
    assert report.nearest.tolist() == [0, 0, 0, 1]
    assert report.made == pytest.approx([0.5, 0.9, 1, 0.5])
    assert report.unseen == pytest.approx(np.arange(1, 20))


def test_distances_are_scikit_learns_and_the_auc_is_that_of_the_distances():
    rng = np.random.default_rng(0)
    made, training, unseen = rng.standard_normal((3, 80, 6))
    report = metrics.memorisation_report(made[:50], training, unseen)
    index = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(training)
    expected = [index.kneighbors(items) for items in (made[:50], unseen)]
    np.testing.assert_allclose(report.made, expected[0][0][:, 0])
    np.testing.assert_allclose(report.unseen, expected[1][0][:, 0])
    assert report.nearest.tolist() == expected[0][1][:, 0].tolist()
    distances = np.concatenate([report.made, report.unseen])
    assert report.auc.value == pytest.approx(roc_auc_score(np.repeat([1, 0], [50, 80]), -distances))
    rank_sum = stats.mannwhitneyu(report.unseen, report.made).statistic
    assert report.auc.value == pytest.approx(rank_sum / (50 * 80))


def test_a_made_set_that_is_the_training_set_is_all_copies():
    training, unseen = np.random.default_rng(0).standard_normal((2, 60, 5))
    report = metrics.memorisation_report(training[::-1], training, unseen, patients=np.arange(60) // 4)
    assert report.copies == 60
    assert report.nearest.tolist() == list(range(60))[::-1]
    assert (report.share.value, report.auc.value) == (1, 1)
    assert report.share.low > 0.9
    assert report.auc.low > 0.7


@pytest.mark.parametrize("percentile", [5, 20])
def test_without_copying_the_share_is_the_percentile_and_the_auc_a_half(percentile):
    shares, aucs = [], []
    for k in range(100):
        made, training, unseen = np.random.default_rng([3, k]).standard_normal((3, 40, 3))
        report = metrics.memorisation_report(made, training, unseen, percentile=percentile)
        shares.append(report.share.value)
        aucs.append(report.auc.value)
    assert np.mean(shares) == pytest.approx(percentile / 100, abs=0.015)
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)


def test_noisy_copies_are_caught_and_mirrored_ones_are_not():
    rng = np.random.default_rng(0)
    training, unseen, others = rng.standard_normal((3, 200, 8, 8))
    noisy = training[:100] + 0.3 * rng.standard_normal((100, 8, 8))
    caught = metrics.memorisation_report(np.concatenate([noisy, others[:100]]), training, unseen)
    assert caught.share.low > 0.4
    assert caught.auc.low > 0.6
    mirrored = metrics.memorisation_report(training[:, :, ::-1], training, unseen)
    assert mirrored.copies == 0
    assert mirrored.share.low < 0.05 < mirrored.share.high
    assert metrics.memorisation_report(training[:, :, ::-1], training[:, :, ::-1], unseen).copies == 200


def test_items_from_the_middle_of_the_data_lie_nearer_without_a_copy_among_them():
    training, unseen, made = np.random.default_rng(0).standard_normal((3, 200, 64))
    report = metrics.memorisation_report(made / 2, training, unseen)
    assert report.share.low > 0.3
    assert report.auc.low > 0.8


def test_made_items_far_from_everything_are_below_a_half():
    training, unseen = np.random.default_rng(0).standard_normal((2, 40, 3))
    report = metrics.memorisation_report(training + 50, training, unseen, patients=np.arange(40) // 4)
    assert (report.share.value, report.auc.value) == (0, 0)
    assert 0.05 < report.share.high < 0.15


def test_unseen_images_of_few_patients_make_wider_intervals():
    rng = np.random.default_rng(0)
    training, made = rng.standard_normal((2, 100, 4))
    unseen = rng.standard_normal((10, 1, 4)).repeat(12, axis=1).reshape(-1, 4) + 0.2 * rng.standard_normal((120, 4))
    by_patient = metrics.memorisation_report(made, training, unseen, patients=np.repeat(np.arange(10), 12))
    by_image = metrics.memorisation_report(made, training, unseen)
    for name in ("share", "auc"):
        one, other = getattr(by_patient, name), getattr(by_image, name)
        assert one.value == other.value
        assert one.num_patients == 10
        assert np.diff(one.interval) > 1.3 * np.diff(other.interval)


def test_intervals_hold_the_truth_in_most_simulated_studies():
    # distances are the values themselves; the truth is that of shifted Gaussians. Of 80 intervals at 95 %, fewer than
    # 70 hold it once in 500 times.
    truth, held, patients = (stats.norm.cdf(stats.norm.ppf(0.05) + 1), stats.norm.cdf(1 / np.sqrt(2))), [], 20
    for k in range(80):
        rng = np.random.default_rng([5, k])
        unseen = np.sqrt(0.3) * rng.standard_normal((patients, 1)) + np.sqrt(0.7) * rng.standard_normal((patients, 8))
        report = metrics.memorisation_report(
            np.exp(rng.standard_normal((150, 1)) - 1),
            [[0.0]],
            np.exp(unseen).reshape(-1, 1),
            patients=np.repeat(np.arange(patients), 8),
        )
        held.append(
            [score.low <= true <= score.high for score, true in zip((report.share, report.auc), truth, strict=True)]
        )
    assert np.sum(held, axis=0).min() >= 70


def test_resampled_thresholds_are_the_percentiles_of_the_drawn_patients():
    rng = np.random.default_rng(0)
    distances, units = rng.integers(1, 9, 50).astype(float), rng.permutation(np.arange(50) % 7)
    found = _resampled_percentiles(distances, units, 7, 30)
    weights = np.concatenate(list(draw_weights(np.random.default_rng(0), 7, NUM_RESAMPLES)))
    for row in range(0, NUM_RESAMPLES, 97):
        drawn = np.repeat(distances, weights[row][units])
        assert found[row] == pytest.approx(np.percentile(drawn, 30, method="weibull"))


def test_degrees_of_freedom_of_few_unseen_patients_are_theirs():
    # Satterthwaite: (4 + 1)^2 / (4^2 / 8 + 1^2 / 2) = 25 / 2.5 = 10; without a second variance, those of the first
    assert _satterthwaite(4, 8, 1, 2) == 10
    assert _satterthwaite(4, 8, 0, 100) == 8
    rng = np.random.default_rng(0)
    made, unseen = rng.random((400, 1)), rng.random((40, 1)) + np.repeat(rng.random(4), 10)[:, None]
    few = metrics.memorisation_report(made, [[0.0]], unseen, patients=np.repeat(np.arange(4), 10)).auc
    logits = np.log(np.array(few.interval) / (1 - np.array(few.interval)))
    many = metrics.auc_score(
        np.repeat([1, 0], [400, 40]),
        -np.concatenate([made, unseen])[:, 0],
        patients=[*range(9, 409), *np.repeat(range(4), 10)],
    )
    others = np.log(np.array(many.interval) / (1 - np.array(many.interval)))
    # the same error; a t quantile of about 3 degrees of freedom, 3.18, instead of 439^2 / ... = many, 1.97
    assert 1.4 < np.ptp(logits) / np.ptp(others) < 1.7


def test_one_unseen_patient_has_no_interval():
    made, training, unseen = np.random.default_rng(0).standard_normal((3, 30, 2))
    report = metrics.memorisation_report(made, training, unseen, patients=["a"] * 30)
    for score in (report.share, report.auc):
        assert "(no interval: one patient says nothing about how patients differ)" in str(score)


def test_images_and_tensors_are_laid_out_in_rows():
    made, training, unseen = np.random.default_rng(0).standard_normal((3, 30, 4, 4))
    rows = metrics.memorisation_report(*(items.reshape(30, -1) for items in (made, training, unseen)))
    report = metrics.memorisation_report(*map(torch.as_tensor, (made, training, unseen)))
    assert (report.share, report.auc) == (rows.share, rows.auc)


def test_the_report_prints_the_distances_the_scores_and_what_they_do_not_prove():
    made, training, unseen = np.arange(5.0)[:, None], [[0.0]], np.arange(1.0, 21)[:, None]
    report = metrics.memorisation_report(made, training, unseen, patients=np.arange(20) // 2).counted_in("block")
    lines = str(report).splitlines()
    assert lines[1].split() == ["made", "(5)", "0", "0", "2"]
    assert lines[2].split() == ["unseen", "(20)", "1", "1.05", "10.5"]  # rank 0.05 * 21 = 1.05
    assert lines[3].startswith("share of made below 1.05: 0.40 (95 % CI ")
    assert "10 blocks" in lines[3]
    assert lines[4].startswith("made nearer than unseen: ")
    assert "do not prove that nothing was copied" in " ".join(lines[5:])


def test_unseen_patients_that_are_in_the_training_set_are_told():
    made, training, unseen = np.random.default_rng(0).standard_normal((3, 40, 2))
    unseen[:3] = training[:3]
    with pytest.raises(ValueError, match=r"3 of 40 unseen items equal a training item.*who are in both sets"):
        metrics.memorisation_report(made, training, unseen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"percentile": 0}, "percentile must lie between 0 and 100, got 0"),
        ({"percentile": 4}, "needs 24 unseen items or more, got 20"),
        ({"percentile": 97}, "needs 33 unseen items or more, got 20"),
        ({"patients": range(19)}, "19 patients for 20 cases"),
        ({"level": 0}, "level must lie between 0 and 1"),
    ],
)
def test_what_is_refused(options, message):
    items = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match=message):
        metrics.memorisation_report(items, items + 1, items, **options)


def test_sets_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"made and training must hold the same kind of items"):
        metrics.memorisation_report(np.zeros((5, 8, 8)), np.zeros((5, 9, 9)), np.zeros((30, 8, 8)))
