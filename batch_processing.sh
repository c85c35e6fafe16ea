#!/usr/bin/env bash
# The tutorial's chain on a folder of images: centreline, segmentation by two methods (st_propseg,
# st_deepseg_sc), measures of both, QC report, and which method suits the images.
#
#   bash batch_processing.sh                    on its own sample, a simulated spine (T2w and T1w)
#   bash batch_processing.sh FOLDER [OUTPUT]    on the images of FOLDER and of folders below it
#   bash batch_processing.sh -bids FOLDER [OUTPUT]    FOLDER is a BIDS data set, OUTPUT becomes one
#       of its derivatives, with the tables in OUTPUT/results
#
# Images are told by the end of their names, as BIDS has it:
#   *_T1w, *_acq-T1w_…_MTS: t1    *_T2w: t2    *_T2star, *_T2starw, *_MTS, *_MTon, *_MToff: t2s
#   *_dwi: dwi (the mean of its volumes)
# Where <image>_levels.nii.gz (vertebral levels, 1 is C1) or <image>_discs.nii.gz (a voxel at each
# disc, 3 is C2-C3) lies beside an image, the cord is measured at each level. Else the vertebrae are
# labelled (st_label_vertebrae -fast), and where their numbering is certain, their levels are taken;
# where it is not, the cord is measured slice by slice.
# FOLDER is not written to. Results go to OUTPUT (default: runs/<name of FOLDER>), in the same
# folders below it. A file that fails stops no other; those that did are named at the end, and the
# exit code is then 1.
set -euo pipefail

case ${1:-} in
-h | -help | --help)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
BIDS=
if [ "${1:-}" = -bids ]; then
    BIDS=yes
    shift
    if [ $# -eq 0 ]; then
        echo "batch_processing.sh: -bids needs the folder of a BIDS data set; see -h" >&2
        exit 2
    fi
fi
if [ $# -gt 2 ]; then
    echo "batch_processing.sh: expected at most a folder and an output folder; see -h" >&2
    exit 2
fi
if ! command -v st_deepseg_sc >/dev/null; then
    echo "batch_processing.sh: spinetools is not installed here: pip install ." >&2
    exit 1
fi
trap 'exit 130' INT
trap 'exit 143' TERM

# Image the same simulated subject twice, with the levels of its cord.
make_sample() {
    echo "== making the sample: sample/sub-01_T2w and sub-01_T1w"
    st_phantom -v 0 -c t2 -seed 1 -o sample/sub-01_T2w.nii.gz
    st_phantom -v 0 -c t1 -seed 1 -o sample/sub-01_T1w.nii.gz
}

# Print the contrast that a file's name tells; nothing where it tells none.
contrast_of() {
    case $1 in
    *_T1w | *_acq-T1w_MTS | *_acq-T1w_*_MTS) echo t1 ;;
    *_T2w) echo t2 ;;
    *_T2star | *_T2starw | *_MTS | *_MTon | *_MToff) echo t2s ;;
    *_dwi) echo dwi ;;
    esac
}

# Print the option that gives the vertebral levels, if a file beside the image has them.
levels_of() {
    local ending
    for ending in .nii.gz .nii; do
        if [ -e "$1_levels$ending" ]; then
            printf '%s\n%s\n' -vertfile "$1_levels$ending"
            return
        elif [ -e "$1_discs$ending" ]; then
            printf '%s\n%s\n' -discfile "$1_discs$ending"
            return
        fi
    done
}

# Run a command that writes an image: with the name given first, or with that of BIDS. Then "made" is
# what it wrote.
produce() {
    local said
    made=$1
    shift
    if [ -z "$BIDS" ]; then
        "$@" -o "$made" "${report[@]}"
        return
    fi
    if ! said=$("$@" -bids -ofolder "$OUTPUT" "${report[@]}"); then
        return 1
    fi
    printf '%s\n' "$said"
    made=$(sed -n '/^written: /{s///p;q;}' <<<"$said")
}

# Label the vertebrae; succeeds where the numbering is certain. Not every image shows some.
label() {
    produce "$output/${name}_vertebrae.nii.gz" st_label_vertebrae -i "$image" -fast &&
        grep -qs '"NumberingCertain": true' "${made%.nii.gz}.json"
}

# Segment by one method and measure the result; the names are those of process.
segment() {
    local method=$1 command=$2
    produce "$output/${name}_seg-$method.nii.gz" "$command" -i "$image" -c "$contrast" "${@:3}" &&
        st_process_segmentation -i "$made" "${which[@]}" -o "$tables/${name}_csa-$method.csv"
}

# Keep an image for the comparison; one that no method could read says nothing of them.
remember() {
    local results=("$@")
    if [ ! -e "${results[0]}" ] && [ ! -e "${results[1]}" ]; then
        return
    fi
    images+=("$image")
    pairs+=("propseg=${results[0]}" "deepseg=${results[1]}")
    case ${which[0]} in
    -vertfile) vertfiles+=("${which[1]}") discfiles+=(none) ;;
    -discfile) vertfiles+=(none) discfiles+=("${which[1]}") ;;
    *) vertfiles+=(none) discfiles+=(none) ;;
    esac
}

# Run the chain on one image; where one method fails, the other goes on.
process() {
    local image=$1 stem=$2 contrast=$3 output=$4
    local name subject word made propseg tables=$output
    name=$(basename "$stem")
    subject=${name%_*}
    if [ -n "$BIDS" ]; then
        tables=$OUTPUT/results
    fi
    local report=(-qc "$QC" -qc-dataset "$DATASET" -qc-subject "$subject")
    local which=()
    while IFS= read -r word; do
        which+=("$word")
    done < <(levels_of "$stem")
    if [ ${#which[@]} -eq 0 ] && label; then
        which=(-vertfile "$made")
    fi
    if [ ${#which[@]} -gt 0 ]; then
        which+=(-perlevel 1)
    else
        echo "the levels of $name are not known: measured slice by slice"
        which=(-perslice 1)
    fi
    local status=0
    if produce "$output/${name}_centerline.nii.gz" st_get_centerline -i "$image" -c "$contrast"; then
        segment propseg st_propseg -init-centerline "$made" || status=1
        propseg=$made
    else
        propseg=$output/${name}_seg-propseg.nii.gz
        status=1
    fi
    segment deepseg st_deepseg_sc || status=1
    remember "$propseg" "$made"
    return $status
}

# Say which method suits the images; a method without a result has failed there.
compare() {
    st_compare -i "${images[@]}" -s "${pairs[@]}" -allow-missing -vertfile "${vertfiles[@]}" \
        -discfile "${discfiles[@]}" -o "$comparison" -qc "$QC" -qc-dataset "$DATASET" \
        -qc-entries 0
}

if [ $# -eq 0 ]; then
    make_sample
fi
INPUT=${1:-sample}
INPUT=${INPUT%/}
if [ ! -d "$INPUT" ]; then
    echo "batch_processing.sh: $INPUT is no folder" >&2
    exit 1
fi
DATASET=$(basename "$(cd "$INPUT" && pwd)")
OUTPUT=${2:-runs/$DATASET}
mkdir -p "$OUTPUT"
QC=$OUTPUT/qc
comparison=$OUTPUT/${BIDS:+results/}comparison.csv
# each command adds its entry; the page's index is brought up to date once, at the end
export SPINETOOLS_QC_REFRESH=0

images=()
pairs=()
vertfiles=()
discfiles=()
done_ones=()
failed=()
ignored=()
while IFS= read -r -d '' image; do
    stem=${image%.gz}
    stem=${stem%.nii}
    contrast=$(contrast_of "$stem")
    below=${image#"$INPUT"/}
    if [ -z "$contrast" ]; then
        ignored+=("$below")
        continue
    fi
    echo
    echo "== $below: contrast $contrast"
    if process "$image" "$stem" "$contrast" "$(dirname "$OUTPUT/$below")"; then
        done_ones+=("$below")
    else
        failed+=("$below")
        echo "== $below: FAILED" >&2
    fi
done < <(find -L "$INPUT" -name derivatives -prune -o -type f \
    \( -name '*.nii.gz' -o -name '*.nii' \) -print0 | LC_ALL=C sort -z)

count=$((${#done_ones[@]} + ${#failed[@]}))
if [ $count -eq 0 ]; then
    echo "batch_processing.sh: $INPUT has no image whose name ends in a contrast; see -h" >&2
    exit 1
fi
echo
echo "== which method"
if [ ${#images[@]} -eq 0 ]; then
    echo "no method has a result"
elif ! compare; then
    failed+=("the comparison of the methods")
fi
echo
if [ -d "$QC" ]; then
    st_qc -v 0 -refresh -qc "$QC" >/dev/null
fi
if [ ${#ignored[@]} -gt 0 ]; then
    echo "left alone, as their names end in no contrast: ${ignored[*]}"
fi
echo "done: ${#done_ones[@]} of $count images, in $OUTPUT"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
fi
if [ -d "$QC" ]; then
    echo "open in a browser: $(cd "$QC" && pwd)/index.html"
fi
[ ${#failed[@]} -eq 0 ]
