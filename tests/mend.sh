#!/bin/sh
# What the report says to do about a file that cannot be read as it is does mend
# it: the command is taken from the report, and the pair diagnosed again.
srcdir=${srcdir:-.}
sample=$srcdir/samples/cap-virtio-header

command -v editcap >/dev/null || {
	echo 'skipped: no editcap'
	exit 77
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
diagnose() {
	./pcapdiag -R "$srcdir/rules" -f json "$@" | tr -d '\n'
}

cp "$sample/vm.pcap.zst" "$work/vm.pcap.zst" || exit 1
mend=$(diagnose "$sample/host.pcapng.zst" "$work/vm.pcap.zst" |
	sed -n "s|.*\"Remove it: \(editcap [^\"]*\) mended.pcap\".*|\1 $work/mended.pcap|p")
[ -n "$mend" ] || {
	echo 'the report has no command'
	exit 1
}
$mend || exit 1
case $(diagnose "$sample/host.pcapng.zst" "$work/mended.pcap") in
*'"verdict": "fault"'*'"rule": "tcp-synack-lost"'*) ;;
*)
	echo "$mend: does not mend it"
	exit 1
	;;
esac
