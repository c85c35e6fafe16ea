#!/usr/bin/env bash
# Segment and measure the cord in each T1w and T2w image of a subject; for st_run_batch -bids:
#
#   st_run_batch -bids -script process_bids.sh -path-data data -path-output out
#
# $1 is the subject (sub-01) or the session (sub-01/ses-01); the images and folders come as variables.
set -euo pipefail

derivatives=(-bids -ofolder "$PATH_DATA_PROCESSED")
while IFS= read -r image; do
    name=$(basename "$image" .nii.gz)
    case $name in
    *_T1w) contrast=t1 ;;
    *_T2w) contrast=t2 ;;
    *) continue ;;
    esac
    said=$(st_deepseg_sc -i "$image" -c "$contrast" "${derivatives[@]}" -qc "$PATH_QC")
    echo "$said"
    # the first file that a command writes is its result
    mask=$(sed -n '/^written: /{s///p;q;}' <<<"$said")
    st_process_segmentation -i "$mask" -perslice 1 -o "$PATH_RESULTS/${name}_csa.csv"
done <<<"$SPINETOOLS_IMAGES"
