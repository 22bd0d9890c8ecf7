#!/bin/sh
# Clock offsets and matches against what is known of captures that nobody here
# wrote: tests/clock.py.  Without them, or with QUICK=yes, it is left out.
srcdir=${srcdir:-.}
shared=${SHARED:-$srcdir/../shared}

skip() {
	echo "skipped: $1"
	exit 77
}

[ "${QUICK:-no}" != yes ] || skip 'QUICK=yes'
command -v python3 >/dev/null || skip 'no python3'
[ -d "$shared/captures" ] || skip "no captures in $shared"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
generator=
if [ -f "$shared/bench/gen_pair.c" ]; then
	${CC:-cc} -O2 -std=c11 -o "$work/gen_pair" "$shared/bench/gen_pair.c" ||
		exit 1
	generator=$work/gen_pair
fi
python3 "$srcdir/tests/clock.py" ./pcapdiag "$srcdir/rules" "$shared" \
	${generator:+"$generator"}
