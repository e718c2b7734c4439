"""CentreNet, its targets and its loss: what the network is asked, and how its answer becomes candidates."""

import numpy as np
import pytest
import torch
from torch import nn

from medlearn import geometry
from medlearn.models import nodule_detector as detector
from medlearn.models.nodule_detector_net import cell_centres, cells_in, centre_candidates, run_net, to_input
from medlearn.models.nodule_detector_training import PatchSampler, TrainingScan, loss_of, target_of, train_centre_net


def volume_of(size=(40, 40, 40), hu=-850.0):
    place = geometry.Geometry(size[::-1], [2.0] * 3, [10.0, 20.0, 30.0], np.eye(3))
    return detector.WorkingVolume(np.full(size, hu, np.float32), np.ones(size, bool), place)


class Oracle(nn.Module):
    """Says what the target says."""

    def __init__(self, target):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        heat = np.clip(target[:1], 1e-4, 1 - 1e-4)
        self.answer = torch.from_numpy(np.concatenate([np.log(heat / (1 - heat)), target[1:5]]))[None]

    def forward(self, scaled):
        return self.answer


def test_targets_decode_to_the_nodules_they_came_from():
    centres, diameters = np.array([[7.3, 20.9, 30.0], [25.2, 11.6, 8.4]]), np.array([5.0, 14.0])
    found = centre_candidates(Oracle(target_of(centres, diameters, 40)), volume_of()).above(0.99)
    order = np.argsort(found.diameters_mm)
    # Voxels of 2 mm, from (10, 20, 30): x is the last index.
    np.testing.assert_allclose(found.points_mm[order], [10, 20, 30] + 2 * centres[:, ::-1], atol=1e-3)
    np.testing.assert_allclose(found.diameters_mm[order], diameters, rtol=1e-5)


def test_target_of_by_hand():
    # Cells of 2 voxels: their middles lie at 0.5, 2.5, 4.5, ... A centre at (4.5, 4.5, 5.5) is in cell (2, 2, 2),
    # half a cell before its... middle along x: the way is (0, 0, 0.5) cells.
    target = target_of([[4.5, 4.5, 5.5]], [7.0], 12)
    assert target[0, 2, 2, 2] == 1 and target[5, 2, 2, 2] == 1
    np.testing.assert_allclose(target[1:5, 2, 2, 2], [0, 0, 0.5, 0], atol=1e-6)  # ln(7 / 7) = 0
    # The cell at z one before: 4 mm away along z, 2 mm along x: heat exp(-(16 + 4) / (2 * 2^2)), way (1, 0, 0.5)
    assert target[0, 1, 2, 2] == pytest.approx(np.exp(-2.5)) and target[1, 1, 2, 2] == 1
    assert target[5, 0, 2, 2] == 0  # 8 mm away: learns neither way nor size


def test_target_of_a_centre_outside_has_no_peak():
    assert target_of([[-6.0, 4.0, 4.0]], [7.0], 12)[0].max() < 1


def test_loss_grows_with_every_kind_of_fault():
    target = torch.from_numpy(target_of([[7.3, 20.9, 30.0]], [9.0], 40))[None]
    truth, inside = Oracle(target[0].numpy())(None), torch.ones(1, 20, 20, 20)
    best = loss_of(truth, target, inside)
    peak, far = target[:, 0] == 1, target[:, 0] < 0.01
    faults = {"missed": (0, peak, -12.0), "false alarm": (0, far, 12.0), "way": (2, far | ~far, 0.5),
              "size": (4, far | ~far, 0.5)}  # fmt: skip
    for channel, where, change in faults.values():
        other = truth.clone()
        other[:, channel][where] += change
        assert loss_of(other, target, inside) > best + 0.1


def test_loss_ignores_what_is_outside_the_lungs():
    target = torch.from_numpy(target_of([[7.3, 20.9, 30.0]], [9.0], 40))[None]
    inside = torch.zeros(1, 20, 20, 20)
    inside[:, :, :, :18] = 1
    found = torch.zeros(1, 5, 20, 20, 20)
    changed = found.clone()
    changed[..., 18:] = 5
    assert loss_of(found, target, inside) == loss_of(changed, target, inside)


def test_centre_net_moves_with_its_input():
    # Shifted by 4 voxels (the coarsest step), the answer shifts by 2 cells; the border of 40 voxels is left out.
    torch.manual_seed(0)
    net = detector.CentreNet().eval()
    net.head.weight.data.normal_()
    scaled = torch.rand(1, 1, 16, 16, 112)
    with torch.inference_mode():
        answer, shifted = net(scaled), net(torch.roll(scaled, 4, dims=4))
    torch.testing.assert_close(shifted[..., 22:36], answer[..., 20:34], atol=1e-4, rtol=1e-4)


def test_run_net_pads_to_whole_steps_and_cuts_off_again():
    found = run_net(detector.CentreNet(), volume_of((9, 10, 15)))
    assert found.shape == (5, 5, 5, 8)
    assert cells_in(np.ones((9, 10, 15), bool)).shape == (5, 5, 8)


def test_cells_in_holds_every_voxel():
    mask = np.zeros((5, 4, 4), bool)
    mask[4, 1, 2] = True
    assert np.argwhere(cells_in(mask)).tolist() == [[2, 0, 1]]
    assert cell_centres([[2, 0, 1]]).tolist() == [[4.5, 0.5, 2.5]]


def test_to_input_cuts_the_window():
    assert to_input(np.array([-2000.0, -1000.0, -300.0, 400.0, 3000.0])).tolist() == [0, 0, 0.5, 1, 1]


def test_centre_candidates_stay_in_the_lungs():
    volume = volume_of()
    volume.lungs[:, :, :20] = False
    target = target_of([[20.5, 20.5, 6.5], [20.5, 20.5, 32.5]], [9, 9], 40)
    found = centre_candidates(Oracle(target), volume).above(0.9)
    np.testing.assert_allclose(found.points_mm, [[10 + 65, 20 + 41, 30 + 41]], atol=1e-3)


def bright_ball_scan():
    """A scan of noise with a bright ball of 10 mm at [30, 25, 35]."""
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:60, :50, :70]
    hu = -850 + rng.normal(scale=20, size=(60, 50, 70)) + 900 * ((z - 30) ** 2 + (y - 25) ** 2 + (x - 35) ** 2 < 6)
    return TrainingScan(hu.astype(np.int16), np.ones(hu.shape, bool), np.array([[30.0, 25, 35]]), np.array([5.0]))


def test_sampler_mirrors_the_nodule_with_the_patch():
    sampler = PatchSampler([bright_ball_scan()], np.random.default_rng(1))
    seen = 0
    for _ in range(6):
        patches, targets, inside = sampler.batch(2)
        peaks = torch.nonzero(targets[0, 0] == 1)
        assert patches.shape == (2, 1, 40, 40, 40) and targets.shape == (2, 6, 20, 20, 20) and inside.all()
        for z, y, x in peaks.tolist():
            cell = patches[0, 0, 2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            assert cell.max() > 0.5  # the ball is bright: above 0 HU with the noise
            seen += 1
    assert seen


def test_training_learns_a_bright_ball_and_repeats_itself():
    scans = [bright_ball_scan()]
    nets = [train_centre_net(scans, num_steps=25, batch_size=2, seed=3, progress=False) for _ in range(2)]
    for a, b in zip(nets[0].state_dict().values(), nets[1].state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    volume = volume_of((60, 50, 70))
    volume.hu[:] = scans[0].hu
    best = centre_candidates(nets[0], volume).best(1)
    assert np.linalg.norm(volume.to_index(best.points_mm)[0] - [30, 25, 35]) < 4
