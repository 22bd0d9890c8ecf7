#!/bin/sh
# Fails if a source, rule or test is missing in Makefile.am, if a file names a
# place of one machine or leaves something to be done, and if a file or function
# has grown too long.
source_lines=540
test_lines=1200
function_lines=60

cd "${srcdir:-.}" || exit 1
status=0

say() {
	echo "$*"
	status=1
}

for file in $(find src -name '*.[ch]') rules/*.json tests/*.h tests/*.py tests/*.sh tests/*.c; do
	name=$file
	case $file in
	tests/*.c) name=${file%.c} ;;
	esac
	tr -s ' \t' '\n\n' <Makefile.am | grep -qxF "$name" || say "$file: not in Makefile.am"
done

# Spelled such that this file does not find itself.
places='(^|[^[:alnum:]_.$}/-])/(work|tmp|home|root|Users)/[[:alnum:]_.-]+'
left='(TO)DO|(FIX)ME'
# Temporary files of tests are made anew.
all() {
	find .ci .clang-format Makefile.am README.md configure.ac rules samples scripts src tests \
		-name __pycache__ -prune -o -type f -exec grep -InE "$1" {} + 2>/dev/null |
		grep -v '/tmp/check_'
}
all "$places" && say 'these name a place of one machine'
all "$left" && say 'these leave something to be done'

too_long() {
	find "$1" -name '*.[ch]' -exec awk -v lines="$2" -v inside="$function_lines" '
		FNR == 1 { start = 0 }
		FNR == lines + 1 { print FILENAME ": more than " lines " lines" }
		/^{/ { start = FNR }
		/^}/ && start {
			if (FNR - start - 1 > inside)
				print FILENAME ":" start ": a function of " FNR - start - 1 " lines"
			start = 0
		}' {} +
}
# The vocabulary is one table, and has to be.
long=$(too_long src $source_lines | grep -v '^src/facts/vocabulary.c: more'
	too_long tests $test_lines)
[ -z "$long" ] || say "$long"

exit $status
