#!/bin/sh
# Every claim of every sample, checked by tshark.  JUDGE=no leaves it out where
# the same build's claims have been judged already.
srcdir=${srcdir:-.}
if [ "${JUDGE:-yes}" = no ]; then
	echo "skipped: JUDGE=no"
	exit 77
fi
for tool in tshark python3; do
	if ! command -v $tool >/dev/null; then
		echo "skipped: there is no $tool"
		exit 77
	fi
done
exec python3 "$srcdir/tests/judge.py" --parallel ./pcapdiag "$srcdir/rules" "$srcdir/samples"
