#!/usr/bin/env bash
# Install spinetools with all that its tests need, and run every check: the README's test command.
#
#   bash testing/run.sh              all checks, in .venv
#   bash testing/run.sh -k centerline   … with further arguments for pytest
#
# PYTHON          the Python to use (default: python3; 3.10 or later)
# SPINETOOLS_VENV where the virtual environment is made (default: .venv)
#
# Debian's packages that are missing (a browser, a virtual display, a window toolkit, a linter for
# shell scripts) are installed when this runs as root; otherwise the tests that need them are
# skipped, and say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
VENV=${SPINETOOLS_VENV:-.venv}
# two workers on two cores: no library starts threads of its own beside them
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

failed=()
begun=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Run one check, with its time; go on when it fails.
check() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if "$@"; then
        printf '== %s: passed (%d s)\n' "$name" $((SECONDS - start))
    else
        printf '== %s: FAILED (%d s)\n' "$name" $((SECONDS - start))
        failed+=("$name")
    fi
}

# Run a check beside others, so that every core has work; finish says how it went.
begin() {
    local name=$1
    shift
    begun+=("$name")
    { "$@" >"$logs/$name" 2>&1 && echo passed || echo FAILED; } >"$logs/$name.result" &
}

finish() {
    local name result
    wait
    for name in "${begun[@]}"; do
        result=$(cat "$logs/$name.result")
        printf '\n== %s\n' "$name"
        cat "$logs/$name"
        printf '== %s: %s\n' "$name" "$result"
        [ "$result" = passed ] || failed+=("$name")
    done
}

install_system_packages() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    command -v chromedriver >/dev/null || missing+=(chromium-driver)
    command -v Xvfb >/dev/null || missing+=(xvfb)
    command -v shellcheck >/dev/null || missing+=(shellcheck)
    # Debian's own Python takes its window toolkit from the first, another one from the second
    "$PYTHON" -c 'import tkinter' 2>/dev/null || missing+=(python3-tk libtk8.6)
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        printf 'not installed, so that tests which need it are skipped: %s\n' "${missing[*]}"
        return
    fi
    printf '\n== apt-get install %s\n' "${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_package() {
    local extras=test,dev,docs,train,batch,dicom
    # a Python built without Tk opens windows with Qt
    "$PYTHON" -c 'import tkinter' 2>/dev/null || extras+=,viewer
    printf '\n== pip install .[%s]\n' "$extras"
    [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check \
        -c testing/constraints.txt -e ".[$extras]"
    # shellcheck disable=SC1091
    . "$VENV/bin/activate"
}

check_shell_scripts() {
    if command -v shellcheck >/dev/null; then
        shellcheck .ci/run batch_processing.sh docs/process_subject.sh docs/process_bids.sh testing/run.sh \
            testing/benchmark/container_base.sh
    else
        echo "shellcheck is not installed: skipped"
    fi
}

build_docs() {
    rm -rf docs/_build
    sphinx-build -q -W --keep-going -b html docs docs/_build/html
}

install_system_packages
install_package
check "ruff check" ruff check .
check "ruff format" ruff format --check .
check "import contracts" lint-imports
check "shell scripts" check_shell_scripts
begin "mypy" mypy
# what the standard library lacks on Windows; code for Linux is unreachable there
begin "mypy, as on Windows" mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/win32
begin "docs" build_docs
finish
if [ $# -eq 0 ]; then
    check "pytest, tests that measure times" pytest -m alone
    check "pytest" pytest -n 2 -m "not alone"
else
    check "pytest" pytest -n 2 "$@"
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf '\nfailed: %s\n' "${failed[*]}"
    exit 1
fi
printf '\nall checks passed (%d s)\n' "$SECONDS"
