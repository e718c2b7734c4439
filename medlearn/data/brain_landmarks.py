"""Thirty-two points that readers find on every brain, and where they are on the template."""

import numpy as np

#: Name and place on the template in mm, x to the right, y to the front, z up (RAS), as the authors give it.
_PLACES = {
    "anterior commissure": (-0.1198, 2.5521, -4.8172),
    "posterior commissure": (0.1409, -25.1240, -2.0960),
    "infracollicular sulcus": (0.1302, -37.8742, -10.0582),
    "pontomesencephalic junction": (0.0267, -23.3510, -21.8764),
    "superior interpeduncular fossa": (-0.0161, -14.3917, -10.7025),
    "right superior lateral mesencephalic sulcus": (13.3752, -26.0718, -9.7885),
    "left superior lateral mesencephalic sulcus": (-13.0502, -26.3842, -9.7601),
    "right inferior lateral mesencephalic sulcus": (11.1066, -30.2186, -21.3211),
    "left inferior lateral mesencephalic sulcus": (-10.8376, -30.3554, -21.0272),
    "culmen": (-0.0609, -52.3597, 2.0239),
    "intermammillary sulcus": (-0.1759, -8.2025, -15.3997),
    "right mammillary body": (2.1025, -8.1262, -14.5020),
    "left mammillary body": (-1.8504, -7.9914, -14.4130),
    "pineal gland": (-0.1830, -31.2358, 0.5864),
    "right lateral ventricle at the anterior commissure": (15.1932, 6.0314, 25.2426),
    "left lateral ventricle at the anterior commissure": (-15.4323, 6.2286, 24.9267),
    "right lateral ventricle at the posterior commissure": (18.5495, -22.7310, 28.5980),
    "left lateral ventricle at the posterior commissure": (-18.6767, -22.7815, 28.4249),
    "genu of the corpus callosum": (0.0024, 33.4388, 2.5246),
    "splenium of the corpus callosum": (0.1330, -37.6245, 6.4010),
    "right anterolateral temporal horn": (34.4788, -4.8800, -26.8143),
    "left anterolateral temporal horn": (-34.3701, -4.8479, -26.9405),
    "right superior anteromedial temporal horn": (17.9369, -10.9397, -17.9412),
    "left superior anteromedial temporal horn": (-18.2147, -10.7848, -18.1403),
    "right inferior anteromedial temporal horn": (20.9107, -4.4101, -27.6511),
    "left inferior anteromedial temporal horn": (-20.9084, -4.5878, -27.2967),
    "right indusium griseum origin": (13.6942, -43.1030, 5.8552),
    "left indusium griseum origin": (-13.3395, -43.3071, 5.9031),
    "right ventral occipital horn": (19.8371, -81.1685, 3.9074),
    "left ventral occipital horn": (-19.9354, -81.2627, 4.2487),
    "right olfactory sulcal fundus": (12.5426, 17.7086, -12.7480),
    "left olfactory sulcal fundus": (-12.8065, 18.1138, -12.8598),
}

LANDMARK_NAMES = tuple(_PLACES)


def brain_landmarks():
    """Return the names of 32 anatomical landmarks and their places on the ICBM152 template.

    Readers placed these anatomical fiducials (AFIDs, CC BY 4.0) on the symmetric template of 0.5 mm; the one of 1 mm
    that nilearn ships lies in the same space.

    Returns
    -------
    names : tuple of str
    points_mm : ndarray, shape (32, 3)
        LPS, as all points of medlearn: the sign of x and y is turned.

    Examples
    --------
    >>> names, points_mm = brain_landmarks()
    >>> names[0], points_mm[0].round(1)  # in the middle, 2.6 mm before and 4.8 mm below the origin
    ('anterior commissure', array([ 0.1, -2.6, -4.8]))

    References
    ----------
    Lau JC et al., Hum Brain Mapp 40:4163, 2019, doi:10.1002/hbm.24693. Taha A et al., Sci Data 10:449, 2023,
    doi:10.1038/s41597-023-02330-9.
    """
    return LANDMARK_NAMES, np.array(list(_PLACES.values())) * [-1.0, -1.0, 1.0]
