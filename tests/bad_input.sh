#!/bin/sh
# What cannot be read or written is told in one message, with the right exit
# status, nothing on standard output and no half file.
srcdir=${srcdir:-.}
pcapdiag=$PWD/pcapdiag
rules=$(cd "$srcdir/rules" && pwd) || exit 1
samples=$(cd "$srcdir/samples" && pwd) || exit 1
for host in "$samples"/*/host.pcap; do
	vm=${host%host.pcap}vm.pcap
	[ -e "$vm" ] && break
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# refused NAME STATUS TEXT ARGUMENT...: TEXT is part of the only message
refused() {
	name=$1 status=$2 text=$3
	shift 3
	"$pcapdiag" "$@" >out 2>err </dev/null
	got=$?
	[ $got -eq "$status" ] || fail "$name: status $got, expected $status"
	[ ! -s out ] || fail "$name: something on standard output"
	grep -qF -e "$text" err || fail "$name: no '$text' in: $(cat err)"
	[ "$(grep -c '^pcapdiag: ' err)" -eq 1 ] || fail "$name: not one message: $(cat err)"
}

# Wrong usage
refused 'no captures' 2 'no captures given' -R "$rules"
refused 'three captures' 2 'HOST and VM are enough' "$host" "$vm" "$vm"
refused 'unknown option' 2 '--nonsense: no such option' --nonsense
refused 'unknown letter' 2 '-Z: no such option' -Z
refused 'no argument' 2 '--format: needs an argument' --format
refused 'no such format' 2 '--format xml: no such format' -f xml "$host" "$vm"
refused 'no such language' 2 '--lang tlh: no such language' -l tlh "$host" "$vm"
refused 'twice standard input' 2 'one capture only' -R "$rules" - -
refused 'unknown rule' 2 'no such rule' -R "$rules" --explain nonsense
refused 'no pair' 2 'no host.* or vm.*' -R "$rules" --corpus .
refused 'no corpus' 2 'none: No such file' -R "$rules" --corpus none
for option in '-e x' --anonymize --digest '--progress never' '-l zh' '-f markdown' '-f html' \
	'-f junit' '-f ndjson'; do
	# shellcheck disable=SC2086
	refused "$option" 2 'not in this version yet' $option "$host" "$vm"
done

# Captures
mkdir folder
: >empty
echo 'this is no capture at all, only some text' >text
head -c 10 "$host" >short
mkfifo fifo
refused 'missing' 2 'missing.pcap: ' -R "$rules" missing.pcap "$vm"
refused 'directory' 2 'folder: ' -R "$rules" "$host" folder
refused 'empty' 2 'empty: ' -R "$rules" empty "$vm"
refused 'not a capture' 2 'text: ' -R "$rules" "$host" text
refused 'cut in its head' 2 'short: ' -R "$rules" short "$vm"
: >fifo &
refused 'closed FIFO' 2 'fifo: ' -R "$rules" fifo "$vm"
refused 'empty standard input' 2 'standard input: ' -R "$rules" - "$vm"
refused 'not a terminal' 2 '\x1b[2J: ' -R "$rules" "$(printf '\033[2J')" "$vm"
cp "$host" locked && chmod 0 locked
if [ "$(id -u)" -ne 0 ]; then
	refused 'unreadable' 2 'locked: ' -R "$rules" locked "$vm"
fi

# Rules
rule() {
	cat >"$1" <<-END
		{ "id": "${2:-arp-target-silent}", "severity": "high", "title": "A title", "for": "arp",
		  "when": "${3:-tries >= 3}", "place": "located", "direction": "from-guest", "statement": "{server.ip}",
		  "cause": "A cause.", "fix": { "any": ["A step."] }, "evidence": ["request@vm"]${4:+, $4} }
	END
}
rules_of() {
	comma=
	for file; do
		printf '%s' "$comma"
		cat "$file"
		comma=,
	done | { echo '['; cat; echo ']'; } >rules.json
}
rule one
rules_of one
"$pcapdiag" --check-rules -R rules.json >out 2>err || fail "a rule that is right: $(cat err)"

printf '[\n  { "id": "x",, }\n]\n' >rules.json
refused 'broken JSON' 2 'rules.json:2:' -R rules.json "$host" "$vm"
rule one arp-target-silent 'trise >= 3' && rules_of one
refused 'unknown field' 2 'arp-target-silent: when: ' -R rules.json "$host" "$vm"
grep -q 'tries' err || fail "unknown field: no suggestion: $(cat err)"
rule one arp-target-silent 'lost.place == nowhere' && rules_of one
refused 'wrong word' 2 'arp-target-silent: when: ' -R rules.json "$host" "$vm"
rule one arp-target-silent 'tries == 10.0.0.1' && rules_of one
refused 'wrong type' 2 'arp-target-silent: when: ' -R rules.json "$host" "$vm"
rule one no-such-signature && rules_of one
refused 'unknown id' 2 'no-such-signature' -R rules.json "$host" "$vm"
rule one && rules_of one one
refused 'duplicate id' 2 'arp-target-silent' -R rules.json "$host" "$vm"
rule one arp-target-silent '' '"severity": "low"' && rules_of one
refused 'duplicate key' 2 'severity' -R rules.json "$host" "$vm"
rule one arp-target-silent '' '"colour": "red"' && rules_of one
refused 'unknown key' 2 'colour' -R rules.json "$host" "$vm"
rule one arp-target-silent '' '"explains": [{ "rules": ["gw-arp-unanswered"], "same": ["peer"] }]'
rule two gw-arp-unanswered '' '"explains": [{ "rules": ["arp-target-silent"], "same": ["peer"] }]'
rules_of one two
refused 'circular explains' 2 'explains' -R rules.json "$host" "$vm"
refused 'no rules' 2 'none.json: ' -R none.json "$host" "$vm"

# Outputs
run() {
	"$pcapdiag" -R "$rules" "$@" "$host" "$vm" 2>err
}
written() {
	[ "$2" -eq 4 ] || fail "$1: status $2, expected 4"
	[ "$(grep -c '^pcapdiag: ' err)" -eq 1 ] || fail "$1: not one message: $(cat err)"
}
mkdir target
if [ -c /dev/full ]; then
	run >/dev/full
	written 'full disk' $?
	run -o /dev/full
	written 'full device' $?
fi
run -o folder >out
written 'output is a folder' $?
run -o none/report >out
written 'no such folder' $?
run >&-
written 'closed standard output' $?
(
	until [ -e gone ]; do sleep 0.05; done
	run -f json
	echo $? >status
) | {
	exec <&-
	: >gone
	until [ -s status ]; do sleep 0.05; done
}
written 'closed pipe' "$(cat status)"

# A file that may not grow stands for a full disk.
echo before >target/old
for name in old new; do
	(
		trap '' XFSZ
		ulimit -f 0
		"$pcapdiag" -R "$rules" -o "target/$name" "$host" "$vm" 2>&1
		echo "status $?"
	) | cat >said
	grep -q '^status 4$' said || fail "file cannot grow: $(cat said)"
done
[ "$(ls -A target)" = old ] || fail "half files: $(ls -A target)"
[ "$(cat target/old)" = before ] || fail 'the old file was changed'
run -o target/old
case $? in
0 | 1 | 3) ;;
*) fail "report to a file: $(cat err)" ;;
esac
[ "$(ls -A target)" = old ] || fail "half files: $(ls -A target)"
grep -q before target/old && fail 'the report is not in its file'

exit $failed
