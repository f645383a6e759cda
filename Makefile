# kcore - see README.md. Everything is built under $(B); the tools are in $(B)/bin.
#   make                          the tools and the library
#   make install, uninstall       PREFIX=/usr/local, DESTDIR=
#   make build-deps, deps         installs from Debian's packages what building needs, make check too
#   make demo                     a real file through a broker and back, compared and timed
#   make check                    the tests; the last line counts them
#   make interop                  Apache Kafka's own classes and tools, and other clients, against ours
#   make torture                  all rounds of the fault rigs: power cut, kill -9, failing disks
#   make fuzz T=SECONDS           looks for inputs that break the decoders, so long for each
#   make coverage                 which branches of lib/record, lib/wire, lib/log the unit tests take
#   make valgrind                 the unit tests under memcheck
#   make mutants                  deliberate faults, each of which a test must notice
#   make deb                      Debian packages, in $(B)/deb
#   make package-test             the package's life in a Debian tree of its own; needs root
#   make bare                     the README's commands on a bare Debian tree; needs root
#   make format, clean
#   make SAN=address,undefined    any of these under sanitizers, in a build directory of its own
#   make CC=clang B=build/clang   another compiler

SAN ?=
B ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma := ,
T ?= 60
# make V=1 shows the commands.
Q := $(if $(V),,@)
say := $(if $(V),@: ,@echo ) # a blank ends it

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
VERSION := 0.1.0

PKGS := libevent_core libevent_pthreads sqlite3 zlib libzstd liblz4 libisal jansson
WARN := -Wall -Wextra -Wconversion -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
	-Wvla -Wundef
OPT ?= -O2 -g
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
CPPFLAGS += -D_GNU_SOURCE -DKCORE_VERSION='"$(VERSION)"' -Ilib -I$(B)/gen $(shell pkg-config --cflags $(PKGS))
CFLAGS += -std=c17 $(OPT) $(WARN) $(HARDEN) -fPIC -fvisibility=hidden -pthread \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	$(if $(FUZZER),-fsanitize=fuzzer-no-link)
LDFLAGS += -pthread $(if $(SAN),-fsanitize=$(SAN),-Wl,-z,relro$(comma)-z,now)
# The libraries a program does not use cost it nothing at start.
LDLIBS += -Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -ldl

ROOMS := base os record wire log catalog group txn replica control net broker client cli
TOOLS := $(notdir $(patsubst %/main.c,%,$(wildcard cmd/*/main.c)))
# lib/cli serves only cmd/; it is linked into the tools, not into the shared library.
LIB_SRC := $(sort $(wildcard $(ROOMS:%=lib/%/*.c)))
# One message of the protocol each, made from its schema.
MESSAGES := $(patsubst lib/wire/schema/%.schema,$(B)/gen/wire/%,$(sort $(wildcard lib/wire/schema/*.schema)))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(MESSAGES:=.o)

all: $(B)/libkcore.a $(B)/libkcore.so $(TOOLS:%=$(B)/bin/%)

$(B)/gen/wire/%.h $(B)/gen/wire/%.c: lib/wire/schema/%.schema lib/wire/gen/parse.awk lib/wire/gen/c.awk
	@mkdir -p $(@D)
	$(say)GEN $(@D)/$*
	$(Q)awk -v part=h -f lib/wire/gen/parse.awk -f lib/wire/gen/c.awk $< >$(B)/gen/wire/$*.h
	$(Q)awk -v part=c -f lib/wire/gen/parse.awk -f lib/wire/gen/c.awk $< >$(B)/gen/wire/$*.c

$(B)/gen/wire/%.o: $(B)/gen/wire/%.c | $(MESSAGES:=.h)
	$(say)CC $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.o: %.c | $(MESSAGES:=.h)
	@mkdir -p $(@D)
	$(say)CC $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What the compiler has hidden the export list cannot bring back; in the rooms that it names it alone hides.
EXPORTING := $(filter $(foreach r,base os record net client broker,$(B)/lib/$(r)/%),$(LIB_OBJ))
$(EXPORTING): CFLAGS += -fvisibility=default -fno-semantic-interposition
$(EXPORTING): lib/libkcore.map

$(B)/libkcore.a: $(LIB_OBJ)
	@rm -f $@
	$(say)AR $@
	$(Q)$(AR) rcs $@ $^

$(B)/libkcore.so: $(filter-out $(B)/lib/cli/%,$(LIB_OBJ)) lib/libkcore.map
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libkcore.so.0 -Wl,--version-script=lib/libkcore.map \
		-o $@ $(filter %.o,$^) $(LDLIBS)

define TOOL
$(B)/bin/$(1): $$(patsubst %.c,$(B)/%.o,$$(sort $$(wildcard cmd/$(1)/*.c))) $(B)/libkcore.a
	@mkdir -p $$(@D)
	$$(say)LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -pie -o $$@ $$^ $$(LDLIBS)
endef
$(foreach t,$(TOOLS),$(eval $(call TOOL,$(t))))

# ---- install --------------------------------------------------------------------------------------

# The headers of what the shared library exports, and what they include. Before 1.0 their interfaces
# and the library's ABI may change with every version.
HEADERS := client/client.h client/producer.h client/consumer.h client/admin.h client/offsets.h \
	record/batch.h broker/broker.h
HEADERS_ALL = $(sort $(filter %.h,$(shell $(CC) $(CPPFLAGS) -MM $(wildcard $(HEADERS:%=lib/%)))))
MAN := $(wildcard man/*.[0-9])
to = $(DESTDIR)$(PREFIX)
so := libkcore.so.$(firstword $(subst ., ,$(VERSION)))
man_dir = $(to)/share/man/man$(patsubst .%,%,$(suffix $(1)))
bash_dir = $(to)/share/bash-completion/completions
# Debian's own packages have theirs in vendor-completions.
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
zsh_dir = $(DESTDIR)$(ZSHDIR)
fish_dir = $(to)/share/fish/vendor_completions.d

define PC
prefix=$(PREFIX)
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$${prefix}/include/kcore

Name: kcore
Description: Kafka broker and client as a library
Version: $(VERSION)
Requires.private: $(PKGS)
Libs: -L$${libdir} -lkcore
Libs.private: -pthread -ldl
Cflags: -I$${includedir}
endef

install: export PC := $(PC)
install: all
	install -d $(to)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(bash_dir) $(zsh_dir) $(fish_dir)
	install $(TOOLS:%=$(B)/bin/%) $(to)/bin
	install -m 644 $(B)/libkcore.a $(DESTDIR)$(LIBDIR)
	install -m 644 $(B)/libkcore.so $(DESTDIR)$(LIBDIR)/libkcore.so.$(VERSION)
	ln -sf libkcore.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(so)
	ln -sf $(so) $(DESTDIR)$(LIBDIR)/libkcore.so
	printf '%s\n' "$$PC" >$(DESTDIR)$(LIBDIR)/pkgconfig/kcore.pc
	$(foreach h,$(HEADERS_ALL),install -D -m 644 $(h) $(h:lib/%=$(to)/include/kcore/%) &&) :
	$(foreach m,$(MAN),install -D -m 644 -t $(call man_dir,$(m)) $(m) &&) :
	install -m 644 completions/kcore.bash $(bash_dir)/kcore
	$(foreach t,$(TOOLS),ln -sf kcore $(bash_dir)/$(t) &&) :
	install -m 644 completions/kcore.zsh $(zsh_dir)/_kcore
	$(foreach t,$(TOOLS),install -m 644 completions/kcore.fish $(fish_dir)/$(t).fish &&) :

# Directories stay, but for our own: whether others had been there is not known.
uninstall:
	rm -f $(TOOLS:%=$(to)/bin/%) $(addprefix $(DESTDIR)$(LIBDIR)/,libkcore.a libkcore.so $(so) \
		libkcore.so.$(VERSION) pkgconfig/kcore.pc) $(bash_dir)/kcore $(TOOLS:%=$(bash_dir)/%) \
		$(zsh_dir)/_kcore $(TOOLS:%=$(fish_dir)/%.fish) \
		$(foreach m,$(MAN),$(call man_dir,$(m))/$(notdir $(m)))
	rm -rf $(to)/include/kcore

# Debian's binary packages of what is built here (.packaging/debian); DEB_VERSION=0.1.1 names them so.
DEB_VERSION ?= $(VERSION)
deb = $(abspath $(B))/deb

deb: all
	tests/tools/deps build debhelper
	rm -rf $(deb)
	mkdir -p $(deb)/src
	cp -r .packaging/debian README.md $(deb)/src
	$(MAKE) -s DESTDIR=$(deb)/root PREFIX=/usr ZSHDIR=/usr/share/zsh/vendor-completions \
		LIBDIR=/usr/lib/$$(dpkg-architecture -qDEB_HOST_MULTIARCH) install
	cd $(deb)/src && DEB_BUILD_OPTIONS=noautodbgsym VERSION=$(DEB_VERSION) debian/rules binary

# ---- tests ----------------------------------------------------------------------------------------

# One program a module: tests/unit/<room>_<module>_test.c; tests/unit/<room>_support.c helps its room's.
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*_test.c))

.SECONDEXPANSION:
$(B)/tests/unit/%_test: $(B)/tests/unit/%_test.o \
		$$(addprefix $(B)/,$$(addsuffix .o,$$(basename \
			$$(wildcard tests/unit/$$(firstword $$(subst _, ,$$*))_support.c)))) \
		$(B)/libkcore.a
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS) -lcmocka

# These make allocations of our own code fail: tests/unit/fail_malloc.h.
$(filter %_memory_test %_fail_test,$(UNIT)): LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup

# Sees every question that handlers ask, and says no.
$(B)/tests/unit/broker_authz_test: LDFLAGS += -Wl,--wrap=authz_check

# All messages in one table, for tests that treat them alike: tests/wire/messages.h.
MESSAGE_TABLE := $(B)/tests/wire/messages.o $(B)/gen/tests/table.o \
	$(patsubst $(B)/gen/wire/%,$(B)/gen/tests/%.o,$(MESSAGES))
$(B)/tests/unit/wire_vectors_test $(B)/tests/unit/wire_memory_test $(foreach n,wire dispatch,$(B)/tests/fuzz/$(n)_replay $(B)/tests/fuzz/fuzz_$(n)): $(MESSAGE_TABLE)

$(B)/gen/tests/table.c: $(MESSAGES:$(B)/gen/wire/%=lib/wire/schema/%.schema)
	@mkdir -p $(@D)
	$(Q){ echo '#include "wire/messages.h"'; \
		for m in $(notdir $(MESSAGES)); do echo "extern const struct message message_$$m;"; done; \
		echo 'const struct message *const messages[] = {'; \
		for m in $(notdir $(MESSAGES)); do echo "    &message_$$m,"; done; \
		echo '};'; echo 'const size_t message_count = sizeof messages / sizeof messages[0];'; } >$@

$(B)/gen/tests/%.c: lib/wire/schema/%.schema lib/wire/gen/parse.awk tests/wire/messages.awk
	@mkdir -p $(@D)
	$(Q)awk -f lib/wire/gen/parse.awk -f tests/wire/messages.awk $< >$@

$(B)/gen/tests/%.o: $(B)/gen/tests/%.c | $(MESSAGES:=.h)
	$(say)CC $@
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: CPPFLAGS += -Itests

# tests/fuzz/fuzz_<name>.c with its inputs in tests/fuzz/corpus/<name>/. `make check` replays those;
# `make fuzz T=60` looks for new ones, and leaves what it found in $(B)/fuzz/<name>/.
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

$(B)/tests/fuzz/%_replay: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libkcore.a
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libkcore.a
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

fuzz-programs: $(FUZZ:%=$(B)/tests/fuzz/fuzz_%)

fuzz:
	$(MAKE) CC=clang SAN=address,undefined B=build/fuzz FUZZER=1 fuzz-programs
	tests/fuzz/run build/fuzz $(T) $(FUZZ)

unit: $(UNIT) $(FUZZ:%=$(B)/tests/fuzz/%_replay)

$(B)/tests/interop/%: $(B)/tests/interop/%.o $(B)/libkcore.a
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Apache Kafka's own classes and programs, and clients in five languages, against ours; brings what they need.
interop: all unit $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/interop/*.c))
	tests/interop/run B=$(B) SAN=$(SAN)

# What the fault rigs run; plain, whatever SAN is: the shim is loaded into other programs.
FAULT := $(B)/tests/fault/shim.so $(B)/tests/fault/godown
FAULT_CFLAGS = $(filter-out -fsanitize=% -fno-sanitize-recover=% -fvisibility=%,$(CFLAGS))

$(B)/tests/fault/shim.so: tests/fault/shim.c
	@mkdir -p $(@D)
	$(say)LD $@
	$(Q)$(CC) $(CPPFLAGS) $(FAULT_CFLAGS) -shared -o $@ $< -ldl

$(B)/tests/fault/godown: tests/fault/godown.c
	@mkdir -p $(@D)
	$(say)LD $@
	$(Q)$(CC) $(CPPFLAGS) $(FAULT_CFLAGS) -o $@ $<

# All rounds of the fault rigs; make check runs a few.
fault-programs: all $(FAULT)

torture: fault-programs
	ROUNDS=$${ROUNDS:-20} LIMIT=3600 tests/run B=$(B) SAN=$(SAN) fault

# The floors that the broker and the tools are compared with, and what loads them.
BENCH := $(patsubst %,$(B)/tests/bench/%,nullbroker source load bystander)

$(BENCH): $(B)/tests/bench/%: $(B)/tests/bench/%.o \
		$(B)/tests/bench/peer.o $(B)/tests/bench/request.o $(B)/libkcore.a
	$(say)LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Ratios to those floors, medians of interleaved pairs. A few minutes; ROWS="produce fetch" for some.
# make check runs those that other work on the machine does not disturb.
bench: fault-programs $(BENCH)
	tests/bench/run B=$(B) $(ROWS)

check: unit fault-programs $(BENCH)
	tests/run B=$(B) SAN=$(SAN)

demo: all
	tests/tools/demo B=$(B)

# The unit tests and the fuzzers' corpora.
coverage:
	$(MAKE) CC=gcc B=build/coverage HARDEN= OPT='-O0 -g --coverage -fprofile-update=atomic' unit
	find build/coverage -name '*.gcda' -delete
	tests/run B=build/coverage unit fuzz
	tests/tools/coverage build/coverage

# The unit tests under memcheck. Leaks are for SAN=address: children that end in the middle have none there.
# Not those that use up the descriptors, of which valgrind has some, or fork a process a crash point,
# or begin a thousand logs.
valgrind: unit
	tests/tools/deps build check valgrind
	UNDER='valgrind -q --error-exitcode=9' EXCEPT='net_listener_test log_crash_test log_fail_test' LIMIT=1800 \
		tests/run B=$(B) unit

mutants: all unit
	tests/tools/mutants

# Needs root: debootstrap, chroot.
bare:
	tests/tools/bare

# Needs root: debootstrap, systemd-nspawn.
package-test:
	tests/tools/package B=$(B)

# ---- housekeeping ---------------------------------------------------------------------------------

build-deps:
	tests/tools/deps build

deps:
	tests/tools/deps build check

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(MESSAGE_TABLE:.o=.d) \
	$(wildcard $(addprefix $(B)/,tests/unit/*.d tests/fuzz/*.d tests/bench/*.d tests/interop/*.d cmd/*/*.d))

.PHONY: all install uninstall deb package-test unit fault-programs fuzz fuzz-programs interop torture bench check demo \
	coverage valgrind mutants bare build-deps deps format clean
.DELETE_ON_ERROR:
.SECONDARY:
