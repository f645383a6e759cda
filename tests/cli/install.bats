#!/usr/bin/env bats
# make install into a directory of its own: what is there works from there, and make uninstall takes it
# away again.
bats_require_minimum_version 1.5.0

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cd "$BATS_TEST_TMPDIR"
	unset MAKEFLAGS MAKELEVEL MFLAGS
	D=$BATS_TEST_TMPDIR/dest P=$BATS_TEST_TMPDIR/dest/opt/kcore
	make -s -C "$ROOT" B="$B" SAN="$SAN" DESTDIR="$D" PREFIX=/opt/kcore install
}

@test "the tools run from there, the completions and the man pages are found" {
	PATH=$P/bin:$PATH
	for t in "$ROOT"/cmd/*/; do
		t=$(basename "$t")
		[ "$(type -P "$t")" = "$P/bin/$t" ]
		"$t" -V | grep -q "^$t (kcore) "
		[ "$(find "$P/share/man" -name "$t.[18]" | wc -l)" = 1 ]
		(. "$P/share/bash-completion/completions/$t"; complete -p "$t")
		head -1 "$P/share/zsh/site-functions/_kcore" | grep -qw "$t"
		fish -c "source $P/share/fish/vendor_completions.d/$t.fish; complete -c $t" | grep -q "$t"
	done
	seq 5 | kbroker --temp -- sh -c 'kprod -q t && ktopic list --json' >out
	grep -qx '{"v":1,"topic":"t","partitions":1,"records":5}' out
}

@test "a program of someone else's builds against it, static and shared" {
	export PKG_CONFIG_PATH=$P/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$D
	local -a c=("${CC:-cc}" -std=c17 -D_GNU_SOURCE -Wall -Werror ${SAN:+-fsanitize="$SAN"} "$ROOT/tests/cli/embed.c")
	"${c[@]}" -o shared $(pkg-config --cflags --libs kcore)
	[ "$(LD_LIBRARY_PATH=$P/lib ./shared d1 "unix:$PWD/s1")" = "topic 0: works" ]
	readelf -d shared | grep -q 'NEEDED.*libkcore\.so\.0'
	"${c[@]}" -o static -I"$P/include/kcore" "$P/lib/libkcore.a" \
		$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l kcore | sed 's/-lkcore//')
	[ "$(./static d2 "unix:$PWD/s2")" = "topic 0: works" ]
}

@test "each header that is installed stands by itself" {
	for h in $(cd "$P/include/kcore" && find . -name '*.h'); do
		echo "#include \"$h\"" | "${CC:-cc}" -std=c17 -D_GNU_SOURCE -Wall -Werror -fsyntax-only -x c \
			-I"$P/include/kcore" -
	done
}

@test "uninstall leaves nothing behind, and what was not ours alone" {
	touch "$P/bin/other" "$P/lib/libother.a"
	make -s -C "$ROOT" B="$B" SAN="$SAN" DESTDIR="$D" PREFIX=/opt/kcore uninstall
	rm "$P/bin/other" "$P/lib/libother.a"
	[ -z "$(find "$D" ! -type d)" ]
	[ -z "$(find "$D" -name '*kcore*' -not -path "$P")" ]
}
