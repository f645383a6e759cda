#!/usr/bin/env bats
# The Debian packages and the unit, as far as they can be looked at without running them; "make package-test"
# runs them.
bats_require_minimum_version 1.5.0

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cd "$BATS_TEST_TMPDIR"
	unset MAKEFLAGS MAKELEVEL MFLAGS
	# named as it will be, with the program where it is now
	sed "s|/usr/bin/kbroker|$KCORE_BIN/kbroker|g" "$ROOT/.packaging/debian/kcore.kbroker.service" >kbroker.service
}

@test "the unit is in order, and confines the broker" {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	run systemd-analyze verify --man=no ./kbroker.service
	[ "$status" = 0 ]
	[ -z "$output" ]
	systemd-analyze security --offline=true --threshold=20 --no-pager ./kbroker.service >score || { tail -1 score; false; }
	# what a mistake looks like
	sed 's/^ProtectHome=/ProtectHouse=/' kbroker.service >other.service
	run systemd-analyze verify --man=no ./other.service
	[ -n "$output" ]
	grep -v '^Protect' kbroker.service >other.service
	run ! systemd-analyze security --offline=true --threshold=20 --no-pager ./other.service
}

@test "make deb: the packages have what they should, where Debian wants it, and need what they use" {
	command -v dh >/dev/null || skip "no debhelper"
	make -s -C "$ROOT" "B=$B" "SAN=$SAN" DEB_VERSION=0.1.7 deb >log 2>&1 || { tail -20 log; false; }
	cd "$KCORE_BIN/../deb"
	dpkg-deb -c kcore_0.1.7_*.deb | awk '$6 !~ /\/$/ { print $6 }' >"$BATS_TEST_TMPDIR/files"
	cd "$BATS_TEST_TMPDIR"
	for t in "$ROOT"/cmd/*/; do
		t=$(basename "$t")
		grep -qx "./usr/bin/$t" files
		grep -qx "./usr/share/man/man[18]/$t.[18].gz" files
		grep -qx "./usr/share/bash-completion/completions/$t" files
	done
	for f in ./etc/kcore/kbroker.properties ./lib/systemd/system/kbroker.service ./usr/lib/sysusers.d/kcore.conf \
		./usr/lib/tmpfiles.d/kcore.conf ./usr/share/doc/kcore/copyright ./usr/share/doc/kcore/README.md.gz; do
		grep -qx "$f" files
	done
	[ -z "$(grep -E 'libkcore|/include/|/local/' files)" ]
	dpkg-deb -e "$KCORE_BIN"/../deb/kcore_0.1.7_*.deb control
	[ "$(cat control/conffiles)" = /etc/kcore/kbroker.properties ]
	grep -q '^Version: 0\.1\.7$' control/control
	grep -q '^Depends:.*libsqlite3-0' control/control
	for s in preinst postinst prerm postrm; do [ ! -e "control/$s" ] || sh -n "control/$s"; done
	# what is installed as the configuration is one
	dpkg-deb -x "$KCORE_BIN"/../deb/kcore_0.1.7_*.deb x
	x/usr/bin/kbroker --check -c x/etc/kcore/kbroker.properties 2>err
	[ ! -s err ]
	dpkg-deb -c "$KCORE_BIN"/../deb/libkcore0_0.1.7_*.deb | grep -q '/libkcore.so.0 -> '
	dpkg-deb -c "$KCORE_BIN"/../deb/libkcore-dev_0.1.7_*.deb | grep -q '/usr/include/kcore/client/client.h$'
	dpkg-deb -f "$KCORE_BIN"/../deb/libkcore-dev_0.1.7_*.deb Depends | grep -q 'libkcore0 (= 0.1.7)'
	! command -v lintian >/dev/null || [ -z "$(lintian --no-cfg --fail-on none "$KCORE_BIN"/../deb/*.deb 2>/dev/null | grep '^E:')" ]
}

@test "the packages' own version is the program's" {
	[ "$(sed -n '1s/kcore (\(.*\)) .*/\1/p' "$ROOT/.packaging/debian/changelog")" = "$("$KCORE_BIN/kbroker" -V | awk '{ print $3 }')" ]
}
