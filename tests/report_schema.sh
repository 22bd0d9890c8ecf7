#!/bin/sh
# The JSON report of every sample has the same bytes twice, and is what the JSON
# Schema says.
srcdir=${srcdir:-.}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
for sample in "$srcdir"/samples/*/; do
	name=$(basename "$sample")
	set --
	for role in host vm; do
		for file in "$sample$role".*; do
			[ -e "$file" ] && set -- "$@" "--$role" "$file"
		done
	done
	[ $# -gt 0 ] || continue
	./pcapdiag -R "$srcdir/rules" -f json -o "$dir/$name.json" "$@"
	case $? in
	0 | 1 | 3) ;;
	*) failed=1 ;;
	esac
	./pcapdiag -R "$srcdir/rules" -f json "$@" >"$dir/again"
	cmp "$dir/$name.json" "$dir/again" || failed=1
done
[ $failed -eq 0 ] || exit 1

if ! python3 -c 'import jsonschema' 2>/dev/null; then
	echo "skipped: there is no python3-jsonschema"
	exit 77
fi
python3 - "$srcdir/rules/report.schema.json" "$dir"/*.json <<'END'
import json, pathlib, sys
import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
wrong = 0
for path in map(pathlib.Path, sys.argv[2:]):
    for error in validator.iter_errors(json.loads(path.read_text())):
        print(f'{path.name}: {"/".join(map(str, error.absolute_path))}: {error.message}')
        wrong += 1
print(f'{len(sys.argv) - 2} reports, {wrong} mistakes')
sys.exit(wrong != 0)
END
