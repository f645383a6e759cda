#!/usr/bin/env bats
# -h, the man page and the completion of each tool say the same: what its option table says
# (--list-options). And each exit status that the man page promises is what the tool ends with.
bats_require_minimum_version 1.5.0

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	PATH=$KCORE_BIN:$PATH
	cd "$BATS_TEST_TMPDIR"
	TOOLS=$(cd "$ROOT/cmd" && ls -d */ | tr -d /)
}

# page TOOL SECTION [SUBSECTION]: that part of the man page as text, a paragraph a line
page() {
	mandoc -T ascii -O width=1000 "$ROOT"/man/"$1".[0-9] | sed 's/.\x08//g' |
		awk -v section="$2" -v sub_="${3:-}" '
			/^[A-Z]/ { s = $0; t = ""; next }
			/^   [a-z]/ { t = $1; next }
			s == section && t == sub_'
}

# tags: the options that a part of a page describes, as they are written there
tags() { sed -n 's/^     \(-.*\)/\1/p' | sed 's/  .*//' | sort -u; }

# table TOOL COMMAND: "-l, --long ARGUMENT" of each option, sorted; "-": those without a command
table() {
	"$1" --list-options | awk -F'\t' -v of="$2" 'NF > 1 && $1 == of {
		print ($2 == "-" ? "" : $2 ", ") $3 ($4 == "-" ? "" : " " $4) }' | sort -u
}

commands() { "$1" --list-options | awk -F'\t' 'NF == 1'; }

# spelled [short]: from table's lines each way to write an option, or the shortest of each
spelled() { awk '{ n = $1 ~ /,$/ ? 2 : 1; for (i = 1; i <= n; i++) { sub(/,$/, "", $i); print $i; if (short) break } }' short="${1:-}" | sort -u; }

same() { # WHAT FILE FILE
	diff -u "$2" "$3" || { echo "$1: what the table has (-) is not what is there (+)"; return 1; }
}

@test "every tool has its page, every page its tool, and mandoc has no complaint" {
	for t in $TOOLS; do [ -e "$ROOT/man/$t.1" ] || [ -e "$ROOT/man/$t.8" ]; done
	for m in "$ROOT"/man/*; do
		m=${m##*/}
		[ -d "$ROOT/cmd/${m%.*}" ]
	done
	[ -z "$(mandoc -T lint -W warning "$ROOT"/man/*)" ]
}

# shown: the options in the output of -h
shown() { sed -nE 's/^ {2,6}(-.*)/\1/p' | sed 's/  .*//' | sort -u; }

@test "-h shows the table" {
	for t in $TOOLS; do
		table "$t" - >table
		"$t" -h | shown >there
		same "$t -h" table there
		for c in $(commands "$t"); do
			{ table "$t" -; table "$t" "$c"; } | sort -u >table
			"$t" "$c" -h | shown >there
			same "$t $c -h" table there
		done
	done
}

@test "the man page describes the options of the table, with their arguments, and no others" {
	for t in $TOOLS; do
		table "$t" - >table
		page "$t" DESCRIPTION | tags >there
		same "man $t" table there
		for c in $(commands "$t"); do
			table "$t" "$c" >table
			page "$t" COMMANDS "$c" | tags >there
			same "man $t: $c" table there
		done
	done
}

# options_of: the options in a line of a synopsis, as they are written there; -qv are two
options_of() {
	grep -oE '(^|[][ |])-(-[a-z][-a-z]*|[A-Za-z0-9]+)' | sed -E 's/^[^-]//' |
		awk '/^--/ { print; next } { for (i = 2; i <= length($0); i++) print "-" substr($0, i, 1) }' | sort -u
}

@test "the synopses show a tool's own options, and a command's" {
	for t in $TOOLS; do
		if [ -z "$(commands "$t")" ]; then
			page "$t" SYNOPSIS | options_of >there
			table "$t" - | spelled short >table
			# common ones may be left out there
			grep -vxE -e '-[hVqvbXF]|--list-options|--timeout' table >own || :
			[ -z "$(comm -13 table there)" ] || { echo "$t: not in its table: $(comm -13 table there)"; return 1; }
			[ -z "$(comm -23 own there)" ] || { echo "man $t: SYNOPSIS lacks $(comm -23 own there)"; return 1; }
		else
			page "$t" SYNOPSIS | sed -nE "s/^ *$t \[OPTION \.\.\.\] //p" | cut -d' ' -f1 | sort >there
			commands "$t" | sort >table
			same "man $t: commands" table there
			for c in $(commands "$t"); do
				page "$t" SYNOPSIS | sed -nE "s/^ *$t \[OPTION \.\.\.\] $c\$//p; s/^ *$t \[OPTION \.\.\.\] $c //p" | options_of >there
				table "$t" "$c" | spelled short >table
				same "man $t: SYNOPSIS of $c" table there
				"$t" "$c" -h | sed -n '1s/usage: [a-z]* [a-z]*//p' | options_of >there
				same "$t $c -h: usage" table there
			done
		fi
	done
}

# complete_line LINE: what the completion offers there, a line each
complete_line() {
	(
		. "$ROOT/completions/kcore.bash"
		COMP_LINE=$1 COMP_POINT=${#1}
		# bash cuts words at "=" and ":", too
		mapfile -t COMP_WORDS < <(sed -E 's/[=:]+/\n&\n/g; s/ /\n/g' <<<"$1" | grep .)
		[[ $1 != *' ' ]] || COMP_WORDS+=('')
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_kcore "${COMP_WORDS[0]}"
		[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort
	)
}

@test "the completion offers the options of the table, and no others" {
	for t in $TOOLS; do
		table "$t" - | spelled >table
		complete_line "$t -" >there
		same "$t -<TAB>" table there
		for c in $(commands "$t"); do
			{ table "$t" -; table "$t" "$c"; } | spelled >table
			complete_line "$t $c x -" >there
			same "$t $c -<TAB>" table there
		done
		commands "$t" | sort >table
		[ ! -s table ] || { complete_line "$t " >there; same "$t <TAB>" table there; }
		(. "$ROOT/completions/kcore.bash"; complete -p "$t")
	done
}

@test "the completion offers fixed choices and files, wherever the word may stand" {
	touch one.log
	mkdir two.d
	for line in 'kprod -z ' 'kprod --compress ' 'kprod --compress=' 'kprod -qTz ' 'kprod -b h:1 t -X a=b -z '; do
		[ "$(complete_line "$line" | tr '\n' ' ')" = 'gzip lz4 none snappy zstd ' ]
	done
	[ "$(complete_line 'kprod -zl')" = -zlz4 ]
	[ "$(complete_line 'kprod --acks=a')" = all ]
	[ "$(complete_line 'kprod -F o')" = one.log ]
	[ "$(complete_line 'kprod topic o')" = one.log ]
	[ -z "$(complete_line 'kprod -k ')" ]
	[ -z "$(complete_line 'kprod -- -')" ]
	[ "$(complete_line 'kbroker -d ')" = two.d ]
	[ "$(complete_line 'kbroker -q --ad')" = --adopt ]
	complete_line 'kbroker --temp -- c' | grep -qx cat
	[ "$(complete_line 'kbroker --temp -- cat o')" = one.log ]
	[ "$(complete_line 'ktopic -q verify ')" = $'one.log\ntwo.d' ]
	[ -z "$(complete_line 'ktopic create o')" ]
}

# statuses TOOL: those that its page promises
statuses() { page "$1" 'EXIT STATUS' | sed -n 's/^     \([0-9]\) .*/\1/p' | tr '\n' ' '; }

@test "exit statuses: the pages promise those that there are, and the tools end with them" {
	run -0 kbroker -h
	run -1 kbroker -d d -X no.such.setting=1 --check
	run -2 kbroker --no-such-option
	[ "$(statuses kbroker)" = '0 1 2 ' ]
	for t in $TOOLS; do
		[ "$t" != kbroker ] || continue
		operands=topic
		[ "$t" != ktopic ] || operands='describe topic'
		[ "$(statuses "$t")" = '0 1 2 3 ' ] || { echo "man $t: $(statuses "$t")"; return 1; }
		run -0 "$t" -h
		# shellcheck disable=SC2086
		{ run -1 "$t" -b 127.0.0.1:1 $operands </dev/null
		run -2 "$t" --no-such-option $operands </dev/null
		run -3 "$t" -b 127.0.0.1:1 --timeout 0.1 $operands </dev/null; }
	done
}
