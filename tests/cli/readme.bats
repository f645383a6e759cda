#!/usr/bin/env bats
# README.md: its commands are there, its tour shows what happens, and what it points to exists.
bats_require_minimum_version 1.5.0

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
}

@test "the first two blocks are one line of sh each" {
	[ "$(grep -n '^```.' "$ROOT/README.md" | head -2 | cut -d: -f2)" = $'```sh\n```sh' ]
	for n in 1 2; do
		[ "$("$ROOT/tests/tools/readme" sh $n | wc -l)" = 1 ]
		"$ROOT/tests/tools/readme" sh $n | sh -n
	done
	[[ $("$ROOT/tests/tools/readme" sh 1) == *'make -j2 demo' ]]
	[[ $("$ROOT/tests/tools/readme" sh 2) == *'make -j2 check' ]]
}

# The tour's commands, in one shell, as "$ " shows them; in what they are shown to print, "..." is
# anything. The tour begins by making the broker that this shell has already.
@test "the tour: every command prints what is shown" {
	cat >tour <<-'E'
		set -u
		wrong=0 n=0 command='' shown=''
		check() {
			[ -n "$command" ] && [ "$command" != 'kbroker --temp -- bash' ] || return 0
			n=$((n + 1))
			eval "$command" >printed 2>&1 </dev/null
			pattern=$(printf '%s' "$shown" | sed 's/[][*?\\]/\\&/g; s/\.\.\./*/g')
			# shellcheck disable=SC2053
			[[ $(grep -v '^tour: line .*Killed' printed) == $pattern ]] && return
			wrong=$((wrong + 1))
			printf '$ %s\n' "$command"
			cat printed
			printf 'is shown as:\n%s' "$shown"
		}
		while IFS= read -r line <&9; do
			case $line in
			'$ '*) check; command=${line#??} shown='' ;;
			*) shown+=$line$'\n' ;;
			esac
		done 9<blocks
		check
		echo "$n commands, $wrong wrong"
	E
	"$ROOT/tests/tools/readme" console >blocks
	kbroker --temp -- bash tour >out
	cat out
	grep -qE '^[1-9][0-9]+ commands, 0 wrong$' out
}

@test "what it points to exists" {
	for f in $(grep -oE '\]\([^)]*\)' "$ROOT/README.md" | tr -d ']()') \
		$(grep -oE '`(lib|cmd|tests|man)/[^` ]*`' "$ROOT/README.md" | tr -d '`'); do
		[ -e "$ROOT/$f" ] || { echo "README.md names $f"; return 1; }
	done
	for t in $(grep -oE '`make [a-z]+' "$ROOT/README.md" | cut -d' ' -f2 | sort -u); do
		grep -q "^$t:" "$ROOT/Makefile" || { echo "README.md names make $t"; return 1; }
	done
}

@test "the demo: equal or loud" {
	SIZE=1 "$ROOT/tests/tools/demo" "B=$KCORE_BIN/.." >out
	grep -q '^[1-9] MB in [0-9]* lines, .*: equal, byte for byte$' out
	mkdir -p bin
	cp "$KCORE_BIN/kbroker" "$KCORE_BIN/kprod" bin
	printf '#!/bin/sh\n%s "$@" | sed 1000s/^/X/\n' "$KCORE_BIN/kcons" >bin/kcons
	chmod +x bin/kcons
	SIZE=1 run --separate-stderr "$ROOT/tests/tools/demo" B="$PWD"
	[ "$status" = 1 ]
	[[ $stderr == *'what came out is not what went in'* ]]
}
