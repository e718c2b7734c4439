"""Find and remove what tells whose image it is: tags, sequences, private tags, UIDs, and text in the pixels."""

import copy
import hashlib
import hmac
import secrets as random_secrets
from dataclasses import dataclass

import pydicom
from dicomanonymizer import simpledicomanonymizer as profile

from medlearn.data.burned_in import blank_rectangles, find_burned_in_text
from medlearn.data.dicom_pixels import stored_values

_EDITION = "dicomfields_2026c"  # of the table in PS3.15, Annex E
_SESSION_KEY = random_secrets.token_hex(16)
_DUMMIES = {"", "ANONYMIZED", "00010101", "000000.00", "00010101010101.000000+0000", "000Y", "0", "0.0", "b''"}
_DUMMIES |= {"http://anonymized.invalid", "b'Anonymized'"}
_REFERENCES = ("InstanceUID", "FrameOfReferenceUID")  # in the names of UIDs of one patient's images
_META_TAGS = (  # of the file header: who wrote, sent and received the file
    "SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "ReceivingApplicationEntityTitle",
    "PrivateInformationCreatorUID", "PrivateInformation", "SourcePresentationAddress",
    "SendingPresentationAddress", "ReceivingPresentationAddress",
)  # fmt: skip


@dataclass(frozen=True)
class Identifier:
    """A place that may tell whose image it is.

    ``place`` reads like ``OtherPatientIDsSequence[0].PatientID``; ``kind`` is ``"listed"`` (the basic profile lists the
    tag, or it is a person's name), ``"private"``, ``"secret"`` (one of the given secrets is in the value),
    ``"preamble"`` or ``"pixels"``.
    """

    kind: str
    place: str
    value: str

    def __str__(self):
        return f"{self.kind:9}{self.place}: {self.value}"


def find_identifiers(dataset, *, secrets=(), pseudonym=""):
    """List the places of a dataset that may tell whose image it is.

    UIDs are not listed: nobody can tell a replaced one from an original. A name in free text of a tag that the profile
    does not list is found only if it is among ``secrets``.

    Parameters
    ----------
    dataset : pydicom.Dataset
    secrets : iterable
        What you know of the patient: name, number, birth date. Looked for in every value, whatever its case.
    pseudonym : str
        The new name that :func:`deidentify` gave: it is not reported.

    Returns
    -------
    list of Identifier
        Those in the order of the dataset, then preamble and pixels. Several frames are not looked at; that is reported.

    Raises
    ------
    ValueError
        If ``secrets`` is one text: each of its letters would be looked for.

    Examples
    --------
    >>> dataset = pydicom.Dataset()
    >>> dataset.Modality, dataset.PatientBirthDate, dataset.ContrastBolusAgent = "CT", "19000101", "none, says Nell"
    >>> for finding in find_identifiers(dataset, secrets=["Nell"]):
    ...     print(finding)
    listed   PatientBirthDate: 19000101
    secret   ContrastBolusAgent: none, says Nell
    """
    if isinstance(secrets, str):
        raise ValueError(f"secrets must be a list, got the text {secrets!r}; write [{secrets!r}].")
    listed = set(profile.initialize_actions(_EDITION))
    harmless = {*_DUMMIES, pseudonym}
    needles = [str(secret).lower() for secret in secrets if str(secret)]
    found = []
    for part, prefix in ((getattr(dataset, "file_meta", None), "file_meta."), (dataset, "")):
        for place, element in _elements(part or (), prefix):
            text = element.value.decode("latin-1") if isinstance(element.value, bytes) else str(element.value)
            kind = _kind(element, text, listed, needles, harmless)
            if kind:
                found.append(Identifier(kind, place, text[:60]))
    if any(getattr(dataset, "preamble", None) or b""):
        found.append(Identifier("preamble", "the first 128 bytes of the file", repr(dataset.preamble[:40])))
    return found + _in_pixels(dataset)


def _elements(dataset, prefix=""):
    """Yield (place, element) for every element that is no sequence, however deep."""
    for element in dataset:
        place = f"{prefix}{element.keyword or element.tag}"
        if element.VR != "SQ":
            yield place, element
            continue
        for index, item in enumerate(element.value):
            yield from _elements(item, f"{place}[{index}].")


def _kind(element, text, listed, needles, harmless):
    if element.tag == 0x7FE00010:  # the pixels, which are looked at as a picture
        return None
    if isinstance(element.value, bytes):
        text += element.value.decode("utf-8", errors="replace")
    if any(needle in text.lower() for needle in needles):
        return "secret"
    if element.tag.is_private:
        return "private" if text.strip() else None
    is_listed = element.VR == "PN" or (element.VR != "UI" and _is_listed(element.tag, listed))
    return "listed" if is_listed and str(element.value) not in harmless else None


def _is_listed(tag, listed):
    """Look a tag up, also in the repeating groups of curves and overlays, which the table gives with a mask."""
    place = (tag.group, tag.element)
    masked = (entry for entry in listed if len(entry) == 4)
    return place in listed or any(all(p & m == v & m for p, v, m in zip(place, e, e[2:], strict=False)) for e in masked)


def _in_pixels(dataset):
    found = []
    if dataset.get("BurnedInAnnotation") == "YES":
        found.append(Identifier("pixels", "BurnedInAnnotation", "YES"))
    if "PixelData" not in dataset:
        return found
    if (frames := dataset.get("NumberOfFrames") or 1) != 1:
        return [*found, Identifier("pixels", "PixelData", f"{frames} frames, not looked at: look yourself")]
    try:
        pixels = stored_values(dataset)
    except (ValueError, RuntimeError, AttributeError, KeyError, NotImplementedError) as error:
        return [*found, Identifier("pixels", "PixelData", f"cannot be looked at: {str(error).splitlines()[0]}")]
    boxes = find_burned_in_text(pixels if pixels.ndim == 2 else pixels.max(axis=-1))
    return found + [Identifier("pixels", f"(row, column, height, width) = {box}", "perhaps text") for box in boxes]


def deidentify(dataset, *, patient_id="", key=None, blank=()):
    """Return a copy without what the basic profile of DICOM PS3.15 lists.

    The table of the profile and most actions come from ``dicom-anonymizer``. Added here: data sets inside sequences, to
    any depth; UIDs that are replaced consistently, also in references that the profile does not list (those that DICOM
    itself defines stay); every person's name; the header and preamble of the file; the note of what was done.

    It does **not**: look into pixels (give ``blank``; the surface of a head is a face), clean free text in tags that
    the profile does not list, keep the time between two dates (all become 1 January of year 1), or judge what a rare
    disease tells. Check the result with :func:`find_identifiers` and your eyes.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Stays as it is.
    patient_id : str
        The new name and number, such as ``"case-017"``. Who is who belongs in a locked list, not in the file.
    key : str, optional
        UIDs are replaced by a function of this key: the same key keeps files of one series together, also in another
        run. Keep it secret. If not given, a random key of this Python session.
    blank : iterable of (row, column, height, width)
        Rectangles of the picture to overwrite.

    Returns
    -------
    pydicom.Dataset

    Raises
    ------
    ValueError
        If an element cannot be cleaned, the key is empty, or a rectangle is not inside the picture.

    Examples
    --------
    >>> dataset = pydicom.Dataset()
    >>> dataset.PatientName, dataset.PatientID, dataset.Modality = "Nobody^Nell", "H-0000", "CT"
    >>> clean = deidentify(dataset, patient_id="case-017")
    >>> print(clean.PatientName, clean.Modality, clean.PatientIdentityRemoved)
    case-017 CT YES

    References
    ----------
    DICOM PS3.15, Annex E, Attribute Confidentiality Profiles.
    """
    if key == "":
        raise ValueError("key is empty, so that anybody could compute the new UIDs; give a secret text, or None.")
    clean = copy.deepcopy(dataset)
    key = _SESSION_KEY if key is None else key
    _clean(clean, _actions(key), key)
    clean.PatientName = clean.PatientID = patient_id
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethodCodeSequence = [_code("113100", "Basic Application Confidentiality Profile")]
    blank = list(blank)
    if blank:
        blank_rectangles(clean, blank)
        clean.DeidentificationMethodCodeSequence.append(_code("113101", "Clean Pixel Data Option"))
    if hasattr(clean, "file_meta"):
        for tag in _META_TAGS:
            clean.file_meta.pop(tag, None)
    if getattr(clean, "preamble", None):
        clean.preamble = b"\0" * 128
    return clean


def _clean(dataset, actions, key):
    try:
        profile.anonymize_dataset(dataset, base_rules_gen=lambda: dict(actions))
    except NotImplementedError as error:
        raise ValueError(f"an element cannot be cleaned: {error} Remove it first: del dataset[tag].") from error
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _clean(item, actions, key)
        elif (element.tag.group, element.tag.element) not in actions:
            if element.VR == "PN":
                element.value = ""
            elif element.VR == "UI" and any(word in element.keyword for word in _REFERENCES):
                _replace_uids(element, key)


def _actions(key):
    """Return the profile's action for each tag, with our own for UIDs and for sequences."""
    return {tag: _action(action, key) for tag, action in profile.initialize_actions(_EDITION).items()}


def _action(action, key):
    def act(dataset, tag):
        element = dataset.get(tag)
        if element is None:
            return
        if action is not profile.delete and element.VR == "UI":
            _replace_uids(element, key)
        elif element.VR == "SQ" and action is profile.delete_or_empty_or_replace_UID:
            return  # references to other images: their items are cleaned next, and their UIDs replaced
        elif element.VR == "SQ" and action is not profile.delete:
            element.value = []
        else:
            action(dataset, tag)

    return act


def _replace_uids(element, key):
    old = element.value
    many = isinstance(old, pydicom.multival.MultiValue)
    element.value = [_new_uid(uid, key) for uid in old] if many else _new_uid(old, key)


def _new_uid(uid, key):
    """Return a UID that only who has the key can tell from another's: 2.25 and a 128-bit number."""
    if not uid or uid.startswith("1.2.840.10008."):  # DICOM's own: a class, an atlas, a palette
        return uid
    digest = hmac.new(key.encode(), str(uid).encode(), hashlib.sha256).digest()
    return pydicom.uid.UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def _code(value, meaning):
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
