#!/bin/sh
# Every claim of every sample, checked by tshark.  QUICK=yes leaves it out, for
# another build of what has been judged already.
srcdir=${srcdir:-.}
if [ "${QUICK:-no}" = yes ]; then
	echo "skipped: QUICK=yes"
	exit 77
fi
for tool in tshark python3; do
	if ! command -v $tool >/dev/null; then
		echo "skipped: there is no $tool"
		exit 77
	fi
done
exec python3 "$srcdir/tests/judge.py" --parallel ./pcapdiag "$srcdir/rules" "$srcdir/samples"
