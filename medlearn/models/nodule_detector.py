"""Find nodules in a chest CT: lungs, candidates on a heat-map, suppression in mm, false-positive reduction.

The shipped weights were trained on SIMULATED patients by ``python -m medlearn.models.derive.nodule_detector``. This is
course material, not a medical device.

Examples
--------
>>> from medlearn import data
>>> scan = data.simulate_patient(3, num_pixels=128, spacing_mm=2.8, num_slices=24, slice_spacing_mm=5, num_nodules=0)
>>> found = find_nodules(scan.image)
>>> len(found) == len(found.scores) == len(found.points_mm)
True
"""

from pathlib import Path

from medlearn import runtime
from medlearn.models.nodule_detector_candidates import Candidates, log_candidates, suppress
from medlearn.models.nodule_detector_grid import WorkingVolume, working_volume
from medlearn.models.nodule_detector_lungs import check_scan, segment_lungs
from medlearn.models.nodule_detector_net import CentreNet, centre_candidates
from medlearn.models.nodule_detector_reduction import cut_planes, false_positive_net, reduce_false_positives
from medlearn.models.weights import load

__all__ = [
    "Candidates",
    "CentreNet",
    "WorkingVolume",
    "centre_candidates",
    "cut_planes",
    "find_nodules",
    "load_centre_net",
    "load_false_positive_net",
    "log_candidates",
    "reduce_false_positives",
    "segment_lungs",
    "suppress",
    "working_volume",
]

CENTRE_WEIGHTS = Path(__file__).with_name("nodule_detector_centre.safetensors")
FALSE_POSITIVE_WEIGHTS = Path(__file__).with_name("nodule_detector_false_positive.safetensors")
APART_MM = 8.0  # two centres are never nearer


def load_centre_net():
    """Return the :class:`CentreNet` trained on simulated patients, on the course's device, in evaluation mode."""
    return load(CentreNet(), CENTRE_WEIGHTS).eval().to(runtime.pick_device())


def load_false_positive_net():
    """Return the network for false-positive reduction, trained on the candidates of simulated patients.

    It is lesson 06's :class:`medlearn.models.nodule_net.NoduleNet` for patches of 32 pixels of 1.25 mm.
    """
    return load(false_positive_net(), FALSE_POSITIVE_WEIGHTS).eval().to(runtime.pick_device())


def find_nodules(image, *, lungs=None, net=None, reduce=True, most=40):
    """Return where nodules may be in a chest CT, the most suspicious first.

    Parameters
    ----------
    image : SimpleITK.Image
        In HU, 3-D, any spacing and direction.
    lungs : SimpleITK.Image, optional
        Mask of the same size; else :func:`segment_lungs` makes it.
    net : CentreNet, optional
        Else the shipped one.
    reduce : bool, optional
        Let a second network judge each candidate in three planes.
    most : int, optional
        How many candidates to return at most.

    Returns
    -------
    Candidates
        Points in mm, LPS; scores from 0 to 1 that order the candidates: they are not probabilities.

    Raises
    ------
    ValueError
        If ``image`` is not a 3-D SimpleITK image in HU, has no lungs, or the mask is empty or of another size.

    Notes
    -----
    On 40 simulated patients that nothing was trained or chosen on (``benchmarks/nodule_detection.py``), 110 nodules of
    3 mm or more, the mean sensitivity at the seven rates of :func:`medlearn.metrics.froc`: 0.61 (95 % CI 0.52 to 0.70)
    without, 0.74 (0.64 to 0.82) with the reduction, which adds 0.125 (0.074 to 0.178). About 1.6 CPU seconds a scan of
    both lungs. Real patients are harder: training has seen none.
    """
    check_scan(image)
    if isinstance(most, bool) or most != int(most) or most < 1:
        raise ValueError(f"most must be a whole number of candidates, 1 or more, got {most!r}.")
    volume = working_volume(image, segment_lungs(image) if lungs is None else lungs)
    net = load_centre_net() if net is None else net
    found = suppress(centre_candidates(net, volume, most=3 * int(most)), distance_mm=APART_MM).best(int(most))
    return reduce_false_positives(image, found, load_false_positive_net()) if reduce else found
