#!/bin/sh
# What must not change a diagnosis, and what may only make it vaguer, on every sample:
# tests/metamorphic.py.  QUICK=yes leaves it out: it takes minutes.
srcdir=${srcdir:-.}
if [ "${QUICK:-no}" = yes ]; then
	echo "skipped: QUICK=yes"
	exit 77
fi
for tool in zstd python3; do
	if ! command -v $tool >/dev/null; then
		echo "skipped: there is no $tool"
		exit 77
	fi
done
exec python3 "$srcdir/tests/metamorphic.py" --pcapdiag ./pcapdiag \
	--rules "$srcdir/rules" --samples "$srcdir/samples"
