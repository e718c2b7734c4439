"""An invented patient, planted in a dataset where real patients hide: for practice in finding and removing."""

import copy
from dataclasses import dataclass

import numpy as np
import pydicom
from PIL import Image, ImageDraw

from medlearn.data.burned_in import set_pixels
from medlearn.data.dicom_pixels import stored_values

_FIRST = ("Testa", "Fakir", "Mocka", "Dummie", "Sampla")
_LAST = ("Nobody", "Notreal", "Pretend", "Madeup", "Example")


@dataclass(frozen=True)
class FakeIdentity:
    """An obviously invented patient."""

    first: str
    last: str
    patient_id: str
    birth_date: str

    @property
    def secrets(self):
        """What must not be found after de-identification."""
        return self.first, self.last, self.patient_id, self.birth_date


def fake_identity(seed=0):
    """Invent a patient.

    Examples
    --------
    >>> fake_identity(0) == fake_identity(0), fake_identity(0).patient_id.startswith("FAKE-")
    (True, True)
    """
    rng = np.random.default_rng(seed)
    first, last = str(rng.choice(_FIRST)), str(rng.choice(_LAST))
    birth_date = f"19{rng.integers(30, 70)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
    return FakeIdentity(first, last, f"FAKE-{rng.integers(10_000, 99_999)}", birth_date)


def plant_identifiers(dataset, seed=0):
    """Return a copy in which an invented patient stands in tags, sequences, private tags and pixels.

    Parameters
    ----------
    dataset : pydicom.Dataset
        One frame with one value per pixel, at least 16 rows and 64 columns. Stays as it is.
    seed : int
        Which patient: :func:`fake_identity` returns the same one, with the ``secrets`` to look for.

    Returns
    -------
    pydicom.Dataset
        The text in the pixels starts at row 2, column 2.

    Raises
    ------
    ValueError
        If the picture is too small, or has several frames or values per pixel.
    """
    if (dataset.get("NumberOfFrames") or 1) != 1 or dataset.get("SamplesPerPixel", 1) != 1:
        raise ValueError("expected one frame with one value per pixel; take a CT or MR slice.")
    if dataset.Rows < 16 or dataset.Columns < 64:
        raise ValueError(
            f"the picture must be 16 x 64 or larger to hold a name, got {dataset.Rows} x {dataset.Columns}."
        )
    who = fake_identity(seed)
    planted = copy.deepcopy(dataset)
    _plant_tags(planted, who)
    _plant_deep(planted, who)
    _burn(planted, f"{who.last} {who.first[0]}".upper())
    return planted


def _plant_tags(dataset, who):
    dataset.PatientName, dataset.PatientID = f"{who.last}^{who.first}", who.patient_id
    dataset.PatientBirthDate = who.birth_date
    dataset.InstitutionName = "Nowhere General Hospital (invented)"
    dataset.ReferringPhysicianName = "Imaginary^Ira^^Dr"
    dataset.StudyDescription = f"CT of {who.first} {who.last}, invented"
    dataset.StudyDate, dataset.AccessionNumber = "20200229", f"ACC-{who.patient_id}"


def _plant_deep(dataset, who):
    other = pydicom.Dataset()
    other.PatientID, other.TypeOfPatientID = who.patient_id, "TEXT"
    dataset.OtherPatientIDsSequence = [other]
    source = pydicom.Dataset()  # a sequence that the profile keeps, for its references: tools forget to look inside
    source.ReferencedSOPClassUID = dataset.get("SOPClassUID", pydicom.uid.CTImageStorage)
    source.ReferencedSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    source.PatientName = f"{who.last}^{who.first}"
    dataset.SourceImageSequence = [source]
    block = dataset.private_block(0x0011, "FAKE VENDOR", create=True)
    block.add_new(0x01, "LO", f"operator note: {who.first.lower()} {who.last.lower()} moved")


def _burn(dataset, text):
    stored = stored_values(dataset).copy()
    picture = Image.new("L", (dataset.Columns, dataset.Rows))
    pen, column = ImageDraw.Draw(picture), 2.0
    for letter in text:  # one by one, a little apart, so that no two touch
        pen.text((column, 2), letter, fill=255)
        column += pen.textlength(letter) + 1
    stored[np.asarray(picture) > 128] = stored.max()
    set_pixels(dataset, stored)
