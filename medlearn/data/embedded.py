"""The cards of data that come with a package or are simulated: nothing to download, so not in the catalogue."""

from medlearn.data.catalogue import Card

ICBM152 = Card(
    name="icbm152",
    title="ICBM 2009a nonlinear symmetric brain template, as the package nilearn ships it",
    people=0,
    items="T1-weighted average, grey and white matter maps, 197 x 233 x 189 voxels of 1 mm, skull removed",
    licence="ICBM template terms: free use, copy and change with the notice",
    licence_url="https://www.bic.mni.mcgill.ca/ServicesAtlases/ICBM152NLin2009",
    citation="Fonov V et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage 54(1):313-327,"
    " 2011, doi:10.1016/j.neuroimage.2010.07.033. Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging"
    " Centre, Montreal Neurological Institute, McGill University.",
    doi="10.1016/j.neuroimage.2010.07.033",
    synthetic=False,
    notes="An average of 152 people, not a patient. Comes with nilearn: no download.",
    files=(),
    home="https://nilearn.github.io/stable/modules/generated/nilearn.datasets.load_mni152_template.html",
)

PYDICOM_CT = Card(
    name="pydicom_ct",
    title="CT slices among the test files of the package pydicom",
    people=2,
    items="a 512 x 512 head slice at the skull base (J2K_pixelrep_mismatch.dcm, lossless JPEG 2000) and a 128 x 128"
    " part of a chest slice with contrast (CT_small.dcm)",
    licence="distributed with pydicom (MIT)",
    licence_url="https://github.com/pydicom/pydicom/blob/main/LICENSE",
    citation="Mason DL et al. pydicom: an open source DICOM library. https://github.com/pydicom/pydicom",
    doi="",
    synthetic=False,
    notes="Real people, names removed. pydicom states no licence of its own for these files; its README believes that"
    " their use is not restricted. Comes with pydicom: no download.",
    files=(),
    home="https://github.com/pydicom/pydicom/tree/main/src/pydicom/data/test_files",
)

SIMULATED_HEAD_CT = Card(
    name="simulated_head_ct",
    title="SIMULATED non-contrast head CT on the anatomy of the ICBM152 template",
    people=0,
    items="one volume for each seed, with the tissue of every voxel",
    licence="CC-BY-4.0 for the simulation; the anatomy under the ICBM template terms",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="The medlearn authors. Anatomy: Fonov V et al. NeuroImage 54(1):313-327, 2011,"
    " doi:10.1016/j.neuroimage.2010.07.033",
    doi="10.1016/j.neuroimage.2010.07.033",
    synthetic=True,
    notes="Grey and white matter and ventricles follow an average brain; skull, skin and everything below it are drawn"
    " around it. No face, sinuses, vessels or teeth; no beam hardening. Not for judging a method for patients.",
    files=(),
    home="https://doi.org/10.1016/j.neuroimage.2010.07.033",
)
