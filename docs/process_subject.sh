#!/usr/bin/env bash
# Segment and measure the cord in a subject's T2w image; st_run_batch runs this for each subject:
#
#   st_run_batch -script process_subject.sh -path-data data -path-output out
#
# $1 is the subject (sub-01), or the session (sub-01/ses-01); the folders come as variables.
set -euo pipefail

SUBJECT=$1
NAME=${SUBJECT//\//_}
file=${NAME}_T2w

# an image that is listed in the file of -exclude-yml
if grep -qxF "$file.nii.gz" <<<"$EXCLUDE_FILES"; then
    echo "$file.nii.gz is excluded"
    exit 0
fi

# results go to a folder of their own: the study is only read
mkdir -p "$PATH_DATA_PROCESSED/$SUBJECT/anat"
cd "$PATH_DATA_PROCESSED/$SUBJECT/anat"
cp "$PATH_DATA/$SUBJECT/anat/$file.nii.gz" .

report=(-qc "$PATH_QC" -qc-dataset "$(basename "$PATH_DATA")" -qc-subject "$NAME")
st_get_centerline -i "$file.nii.gz" -c t2 "${report[@]}"
st_propseg -i "$file.nii.gz" -c t2 -init-centerline "${file}_centerline.nii.gz" "${report[@]}"
# a table a subject: many at once must not write into one
st_process_segmentation -i "${file}_seg.nii.gz" -perslice 1 -o "$PATH_RESULTS/${NAME}_csa.csv"
