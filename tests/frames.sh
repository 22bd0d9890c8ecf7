#!/bin/sh
# Fails if a capture has more or fewer frames by our reader than by tshark.
# capinfos counts like tshark and is a hundred times as fast, but leaves out
# pcapng blocks that are no packets; so pcapng files, and those that capinfos
# gives up on, are counted by tshark itself.  QUICK=yes leaves it out.
shared=${SHARED:-${srcdir:-.}/../shared}
frame_count=${FRAME_COUNT:-tests/frame_count}

# Broken by fuzzing such that tshark takes them for another variant of pcap,
# Red Hat 6.1, which libpcap does not know.
known='bug-6875-01/fuzz.pcap crash-exception-cast-constructed-record'

skip() {
	echo "skipped: $1"
	exit 77
}

# Reads file names; writes "FILE<tab>COUNT"
count_by_capinfos() {
	xargs -d '\n' capinfos -T -M -r -t -c 2>/dev/null |
		awk -F '\t' '$2 != "pcapng" { print $1 "\t" $3 }'
}

count_by_tshark() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	xargs -d '\n' -r -P "$(nproc)" -n 4 sh -c '
		for file; do
			n=$(tshark -n -r "$file" -T fields -e frame.number \
				2>/dev/null | tail -n 1)
			printf "%s\t%s\n" "$file" "${n:-0}"
		done' sh
}

# Reads the output of frame_count; writes "FILE<tab>COUNT" or
# "FILE<tab>refused<tab>MESSAGE"
split_ours() {
	awk '{
		if (at = index($0, " refused: "))
			print substr($0, 1, at - 1) "\trefused\t" \
				substr($0, 2 * at + 11)
		else if (match($0, / [0-9]+ (cut|end)$/))
			print substr($0, 1, RSTART - 1) "\t" $(NF - 1)
	}'
}

compare() {
	awk -F '\t' -v known="$known" '
	function expected(file,   n, i, names) {
		n = split(known, names, " ")
		for (i = 1; i <= n; i++)
			if (index(file, names[i]))
				return 1
		return 0
	}
	NR == FNR { theirs[$1] = $2; next }
	$2 == "refused" && (theirs[$1] == 0 ||
		$3 ~ /snoop|no interface|savefile version/) { refused++; next }
	$2 == theirs[$1] { same++; next }
	expected($1) { different++; next }
	{ print $1 ": " $2 " frames, tshark " theirs[$1] " " $3; bad++ }
	END {
		printf "%d files alike, %d refused, %d known to differ, " \
			"%d wrong\n", same, refused, different, bad
		exit bad > 0 || same == 0
	}' "$1" "$2"
}

[ "${QUICK:-no}" != yes ] || skip 'QUICK=yes'
command -v tshark >/dev/null || skip 'no tshark'
command -v capinfos >/dev/null || skip 'no capinfos'
[ -d "$shared/captures" ] || skip "no captures in $shared"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
find "$shared/captures" "$shared/pairs" -type f ! -name '*.md' \
	! -name '*.tsv' ! -name '*.json' | sort |
	xargs -d '\n' "$frame_count" | split_ours >"$work/all"

grep -v 'link type .* is not supported' "$work/all" >"$work/ours"
cut -f 1 "$work/ours" >"$work/files"
count_by_capinfos <"$work/files" >"$work/theirs"
cut -f 1 "$work/theirs" | sort | comm -23 "$work/files" - >"$work/rest"
count_by_tshark <"$work/rest" >>"$work/theirs"
compare "$work/theirs" "$work/ours"
