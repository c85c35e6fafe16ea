"""DICOM: series in, label maps out. Everything in here needs the extra ``dicom`` when it runs."""
