# Writes the C of a message that parse.awk has read: -v part=h the header, -v part=c the code. What it
# promises is told in lib/wire/wire.h.

function generate() {
	ctype["bool"] = "bool"
	ctype["int8"] = "int8_t"
	ctype["int16"] = "int16_t"
	ctype["int32"] = "int32_t"
	ctype["int64"] = "int64_t"
	ctype["uuid"] = "struct uuid"
	ctype["string"] = ctype["bytes"] = ctype["records"] = "struct slice"
	fixed["bool"] = fixed["int8"] = 1
	fixed["int16"] = 2
	fixed["int32"] = 4
	fixed["int64"] = 8
	fixed["uuid"] = 16
	verb["bool"] = "bool"
	verb["int8"] = "i8"
	verb["int16"] = "i16"
	verb["int32"] = "i32"
	verb["int64"] = "i64"
	verb["uuid"] = "uuid"
	has_records = 0
	for (f = 0; f < nf; f++)
		if (ftype[f] == "records")
			has_records = 1
	if (part == "h")
		header()
	else
		code()
}

# ---- text -----------------------------------------------------------------------------------------

# One statement at a depth of blanks; long ones are broken behind a comma, an operator or, if there is
# none, the parenthesis.
function put(depth, text,    at, indent) {
	indent = sprintf("%" depth * 4 "s", "")
	while (length(indent text) > 100) {
		for (at = 100 - length(indent); at > 20; at--)
			if (substr(text, at - 1, 2) ~ /^(, |= |& )$/)
				break
		if (at <= 20)
			at = index(text, "(") + 1
		if (at <= 1)
			break
		print indent substr(text, 1, at - 1)
		text = substr(text, at)
		sub(/^ /, "", text)
		indent = sprintf("%" depth * 4 + 4 "s", "")
	}
	print indent text
}

# A function's body is collected first, to know which of its helpers it needs.
function add(depth, text) {
	body_depth[nbody] = depth
	body[nbody++] = text
}

# Prints the function that was collected. first: its first line up to the parameters.
function finish(first, parameters,    i, uses_flexible, uses_version, uses_m) {
	for (i = 0; i < nbody; i++) {
		if (body[i] ~ /[(!, ]flexible[,;) ]/)
			uses_flexible = 1
		if (body[i] ~ /(^|[^a-z_>.])version([^a-z_]|$)/)
			uses_version = 1
	}
	put(0, first "(" parameters ")")
	print "{"
	if (uses_flexible) {
		put(1, "const bool flexible = version >= " flex ";")
		if (body[0] !~ /^size_t/)
			print ""
	} else if (!uses_version)
		put(1, "(void)version;")
	for (i = 0; i < nbody; i++)
		if (body[i] == "")
			print ""
		else
			put(body_depth[i], body[i])
	print "}"
	print ""
	nbody = 0
}

# The C condition for lo..hi inside of from..to: "" where it always holds.
function when(lo, hi, from, to) {
	if (lo <= from && hi >= to)
		return ""
	if (lo <= from)
		return "version <= " hi
	if (hi >= to)
		return "version >= " lo
	return lo == hi ? "version == " lo : "version >= " lo " && version <= " hi
}

function is_flexible(f, s) {
	if (finflex[f] || flex > shi[s])
		return "false"
	return flex <= slo[s] || flex <= flo[f] ? "true" : "flexible"
}

function is_nullable(f,    w) {
	if (nlo[f] < 0 || nlo[f] > fhi[f] || nhi[f] < flo[f])
		return "false"
	w = when(nlo[f], nhi[f], flo[f], fhi[f])
	return w == "" ? "true" : w
}

function plain_hi(f) {
	return ftag[f] >= 0 && tlo[f] <= fhi[f] ? tlo[f] - 1 : fhi[f]
}

function upper_name(text) {
	return toupper(prefix) "_" text
}

# ---- the header -----------------------------------------------------------------------------------

function header(    s, k) {
	print "/* Made from lib/wire/schema/" prefix ".schema; how to use it: lib/wire/wire.h. */"
	print "#ifndef KCORE_GEN_WIRE_" toupper(prefix) "_H"
	print "#define KCORE_GEN_WIRE_" toupper(prefix) "_H"
	print ""
	print "#include \"wire/wire.h\""
	print ""
	print "enum {"
	if (api != "")
		put(1, upper_name("API_KEY") " = " api ",")
	if (record != "")
		put(1, upper_name("RECORD_TYPE") " = " record ",")
	put(1, upper_name("MIN_VERSION") " = " mlo ",")
	put(1, upper_name("MAX_VERSION") " = " mhi ",")
	print "};"
	for (s = ns - 1; s >= 0; s--) {
		print ""
		print "struct " sc[s] " {"
		for (k = 0; k < sn[s]; k++)
			member(sf[s, k])
		print "};"
	}
	print ""
	for (s = ns - 1; s >= 0; s--)
		put(0, "void " sc[s] "_init(struct " sc[s] " *m);")
	print ""
	put(0, "int " prefix "_decode(struct " prefix " *m, struct wire_reader *r, int16_t version);")
	put(0, "int " prefix "_encode(const struct " prefix " *m, struct buf *b, int16_t version);")
	if (has_records)
		put(0, "int " prefix "_encode_gaps(const struct " prefix " *m, struct buf *b, int16_t version, " \
			"struct wire_gaps *gaps);")
	if (reports_errors())
		put(0, "bool " prefix "_has_error(const struct " prefix " *m);")
	print ""
	print "#endif"
}

function c_type(f) {
	return fstruct[f] >= 0 ? "struct " sc[fstruct[f]] : ctype[ftype[f]]
}

function member(f,    versions, name) {
	name = fc[f] ";"
	if (flo[f] > mlo || fhi[f] < mhi) {
		versions = fhi[f] == mhi ? flo[f] "+" : flo[f] == fhi[f] ? flo[f] : flo[f] "-" fhi[f]
		name = name " /* " versions " */"
	}
	if (!farray[f] && !fmaybe[f]) {
		put(1, c_type(f) " " (fpointer[f] ? "*" : "") name)
		return
	}
	put(1, "struct {")
	put(2, c_type(f) (fmaybe[f] ? " v;" : " *v;"))
	put(2, fmaybe[f] ? "bool is_null;" : "int32_t n;")
	put(1, "} " name)
}

# ---- the code -------------------------------------------------------------------------------------

function code(    s, f) {
	print "/* Made from lib/wire/schema/" prefix ".schema. */"
	print "#include \"wire/" prefix ".h\""
	print ""
	nbody = 0
	for (f = 0; f < nf; f++)
		if (fstruct[f] >= 0) {
			if (farray[f])
				need_least(fstruct[f])
			else if (!fpointer[f] && (ftag[f] >= 0 || (!fign[f] && (flo[f] > mlo || fhi[f] < mhi))))
				need_default(fstruct[f])
		}
	for (s = ns - 1; s >= 0; s--) {
		init(s)
		if (reports_errors() && holds_error(s))
			error_in(s)
		if (s in least_wanted)
			least(s)
		if (s in default_wanted)
			is_default(s)
		reader(s)
		writer(s)
	}
	public_functions()
}

function need_least(s,    k, f) {
	least_wanted[s] = 1
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (fstruct[f] >= 0 && !farray[f] && !fpointer[f] && plain_hi(f) >= flo[f])
			need_least(fstruct[f])
	}
}

function need_default(s,    k, f) {
	default_wanted[s] = 1
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (fstruct[f] >= 0 && !farray[f] && !fpointer[f])
			need_default(fstruct[f])
	}
}

# The default as C; "" when it is all zeros.
function c_default(f) {
	if (farray[f])
		return fdef[f] == "null" ? "{NULL, -1}" : ""
	if (fpointer[f])
		return ""
	if (ftype[f] ~ /^(string|bytes|records)$/)
		return fdef[f] == "null" ? "" : "slice_str(\"\")"
	if (fdef[f] == "" || fdef[f] == "0" || fdef[f] == "false")
		return ""
	if (fdef[f] == "-2147483648")
		return "INT32_MIN"
	if (fdef[f] == "-9223372036854775808")
		return "INT64_MIN"
	return fdef[f]
}

# The condition under which a field has its default.
function equals_default(f,    x) {
	x = "m->" fc[f]
	if (farray[f])
		return fdef[f] == "null" ? x ".n < 0" : x ".n == 0"
	if (fpointer[f])
		return "!" x
	if (fmaybe[f])
		return "(!" x ".is_null && is_default_" sc[fstruct[f]] "(&" x ".v))"
	if (fstruct[f] >= 0)
		return "is_default_" sc[fstruct[f]] "(&" x ")"
	if (ctype[ftype[f]] == "struct slice")
		return fdef[f] == "null" ? "slice_is_null(" x ")" : "slice_eq_str(" x ", \"\")"
	if (ftype[f] == "uuid")
		return "uuid_is_zero(" x ")"
	if (ftype[f] == "bool")
		return fdef[f] == "true" ? x : "!" x
	x = x " == " (c_default(f) == "" ? "0" : c_default(f))
	return x
}

function differs_from_default(f,    x) {
	x = equals_default(f)
	if (x ~ / == /)
		sub(/ == /, " != ", x)
	else if (x ~ / < 0$/)
		sub(/ < 0$/, " >= 0", x)
	else if (x ~ /^!/)
		x = substr(x, 2)
	else
		x = "!" x
	return x
}

function init(s,    k, f, some) {
	put(0, "void " sc[s] "_init(struct " sc[s] " *m)")
	print "{"
	for (k = 0; k < sn[s]; k++)
		if (c_default(sf[s, k]) != "")
			some = 1
	if (!some)
		put(1, "*m = (struct " sc[s] "){0};")
	else {
		put(1, "*m = (struct " sc[s] "){")
		for (k = 0; k < sn[s]; k++) {
			f = sf[s, k]
			if (c_default(f) != "")
				put(2, "." fc[f] " = " c_default(f) ",")
		}
		put(1, "};")
	}
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (fstruct[f] >= 0 && !farray[f] && !fpointer[f])
			put(1, sc[fstruct[f]] "_init(&m->" fc[f] (fmaybe[f] ? ".v" : "") ");")
	}
	print "}"
	print ""
}

# The least size of one value of the field's type, as C.
function least_value(f, s,    fl) {
	if (fpointer[f])
		return 1
	if (fstruct[f] >= 0)
		return "least_" sc[fstruct[f]] "(version)"
	if (ftype[f] in fixed)
		return fixed[ftype[f]]
	fl = is_flexible(f, s)
	if (fl == "true")
		return 1
	return (fl == "false" ? "" : "flexible ? 1 : ") (ftype[f] == "string" ? 2 : 4)
}

function least_field(f, s,    fl) {
	if (!farray[f])
		return least_value(f, s)
	fl = is_flexible(f, s)
	return fl == "true" ? 1 : fl == "false" ? 4 : "flexible ? 1 : 4"
}

function least(s,    k, f, w, v, sum) {
	print "/* The fewest bytes that one can take. */"
	sum = 0
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		v = least_field(f, s)
		if (when(flo[f], plain_hi(f), slo[s], shi[s]) == "" && v ~ /^[0-9]+$/)
			sum += v
	}
	if (flex <= slo[s])
		sum++
	add(1, "size_t n = " sum ";")
	add(0, "")
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (plain_hi(f) < flo[f])
			continue
		v = least_field(f, s)
		w = when(flo[f], plain_hi(f), slo[s], shi[s])
		if (w == "" && v ~ /^[0-9]+$/)
			continue
		if (w != "")
			add(1, "if (" w ")")
		add(w == "" ? 1 : 2, "n += " v ";")
	}
	if (flex > slo[s] && flex <= shi[s]) {
		add(1, "if (flexible)")
		add(2, "n += 1; /* how many tagged fields */")
	}
	add(1, "return n;")
	finish("static size_t least_" sc[s], "int16_t version")
}

function is_default(s,    k) {
	print "static bool is_default_" sc[s] "(const struct " sc[s] " *m)"
	print "{"
	for (k = 0; k < sn[s]; k++)
		put(k == 0 ? 1 : 2, (k == 0 ? "return " : "&& ") equals_default(sf[s, k]) (k == sn[s] - 1 ? ";" : ""))
	print "}"
	print ""
}

# ---- error codes ----------------------------------------------------------------------------------

# A response's error codes may be asked for; in a request one means something else.
function reports_errors() {
	return prefix ~ /_response$/ && holds_error(0)
}

function holds_error(s,    k, f) {
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (fname[f] == "ErrorCode" || (fstruct[f] >= 0 && holds_error(fstruct[f])))
			return 1
	}
	return 0
}

# The message's own is public.
function error_in(s,    k, f, inner) {
	print (s == 0 ? "bool " prefix "_has_error" : "static bool error_in_" sc[s]) "(const struct " sc[s] " *m)"
	print "{"
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (fname[f] == "ErrorCode") {
			put(1, "if (m->" fc[f] " != 0)")
			put(2, "return true;")
		}
		if (fstruct[f] < 0 || !holds_error(fstruct[f]))
			continue
		inner = "error_in_" sc[fstruct[f]] "("
		if (farray[f]) {
			put(1, "for (int32_t i = 0; i < m->" fc[f] ".n; i++)")
			put(2, "if (" inner "&m->" fc[f] ".v[i]))")
			put(3, "return true;")
		} else {
			put(1, "if (" (fpointer[f] ? "m->" fc[f] " && " inner "m->" : inner "&m->") fc[f] "))")
			put(2, "return true;")
		}
	}
	put(1, "return false;")
	print "}"
	print ""
}

# ---- reading --------------------------------------------------------------------------------------

# A call that reads one value; in: the reader's name.
function read_value(f, fl, nullable, in_) {
	if (ftype[f] in verb)
		return "wire_read_" verb[ftype[f]] "(" in_ ")"
	return "wire_read_" (ftype[f] == "string" ? "string" : "bytes") "(" in_ ", " fl ", " nullable ")"
}

function read_field(f, s, fl, in_, depth,    x) {
	x = "m->" fc[f]
	if (fpointer[f]) {
		add(depth, x " = wire_read_array(" in_ ", wire_read_present(" in_ "), sizeof *" x ");")
		add(depth, "if (" x ")")
		add(depth + 1, "read_" sc[fstruct[f]] "(" x ", " in_ ", version);")
		return
	}
	if (fmaybe[f]) {
		add(depth, x ".is_null = wire_read_uvarint(" in_ ") == 0;")
		add(depth, "if (!" x ".is_null)")
		add(depth + 1, "read_" sc[fstruct[f]] "(&" x ".v, " in_ ", version);")
		return
	}
	if (!farray[f]) {
		if (fstruct[f] >= 0)
			add(depth, "read_" sc[fstruct[f]] "(&" x ", " in_ ", version);")
		else
			add(depth, x " = " read_value(f, fl, is_nullable(f), in_) ";")
		return
	}
	add(depth, x ".n = wire_read_count(" in_ ", " fl ", " is_nullable(f) ", " least_value(f, s) ");")
	add(depth, x ".v = wire_read_array(" in_ ", " x ".n, sizeof *" x ".v);")
	add(depth, "for (int32_t i = 0; i < " x ".n && !" (in_ == "r" ? "r->" : "field.") "bad; i++)")
	if (fstruct[f] >= 0)
		add(depth + 1, "read_" sc[fstruct[f]] "(&" x ".v[i], " in_ ", version);")
	else
		add(depth + 1, x ".v[i] = " read_value(f, fl, "false", in_) ";")
}

function reader(s,    k, f, w, tagged) {
	add(1, sc[s] "_init(m);")
	tagged = 0
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (ftag[f] >= 0)
			tagged = 1
		if (plain_hi(f) < flo[f])
			continue
		w = when(flo[f], plain_hi(f), slo[s], shi[s])
		if (w != "")
			add(1, "if (" w ")" (farray[f] || fpointer[f] ? " {" : ""))
		read_field(f, s, is_flexible(f, s), "r", w == "" ? 1 : 2)
		if (w != "" && (farray[f] || fpointer[f]))
			add(1, "}")
	}
	if (flex <= shi[s]) {
		if (tagged)
			read_tags(s)
		else {
			if (flex > slo[s])
				add(1, "if (flexible)")
			add(flex > slo[s] ? 2 : 1, "wire_skip_tags(r);")
		}
	}
	finish("static void read_" sc[s], "struct " sc[s] " *m, struct wire_reader *r, int16_t version")
}

# A tag that the version does not know, though a later one does, is an error, as in Kafka.
function read_tags(s,    k, f, d, w) {
	d = 1
	if (flex > slo[s]) {
		add(1, "if (flexible) {")
		d = 2
	}
	add(d, "struct wire_tags tags = wire_read_tags(r);")
	add(d, "struct wire_reader field;")
	add(d, "while (wire_tags_next(&tags, r, &field)) {")
	add(d + 1, "switch (tags.tag) {")
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (ftag[f] < 0)
			continue
		add(d + 1, "case " ftag[f] ":")
		w = when(tlo[f], fhi[f], flex > slo[s] ? flex : slo[s], shi[s])
		if (w != "")
			add(d + 2, "field.bad = !(" w ");")
		read_field(f, s, "true", "&field", d + 2)
		add(d + 2, "wire_tag_done(r, &field);")
		add(d + 2, "break;")
	}
	add(d + 1, "}")
	add(d, "}")
	if (d == 2)
		add(1, "}")
}

# ---- writing --------------------------------------------------------------------------------------

function write_value(f, x, fl, nullable) {
	if (fstruct[f] >= 0)
		return "write_" sc[fstruct[f]] "(w, &" x ", version);"
	if (ftype[f] in verb)
		return "wire_write_" verb[ftype[f]] "(w, " x ");"
	return "wire_write_" ftype[f] "(w, " x ", " fl ", " nullable ");"
}

function write_field(f, fl, depth,    x) {
	x = "m->" fc[f]
	if (fpointer[f]) {
		add(depth, "wire_write_i8(w, " x " ? 1 : -1);")
		add(depth, "if (" x ")")
		add(depth + 1, "write_" sc[fstruct[f]] "(w, " x ", version);")
		return
	}
	if (fmaybe[f]) {
		add(depth, "wire_write_uvarint(w, " x ".is_null ? 0 : 1);")
		add(depth, "if (!" x ".is_null)")
		add(depth + 1, write_value(f, x ".v"))
		return
	}
	if (!farray[f]) {
		add(depth, write_value(f, x, fl, is_nullable(f)))
		return
	}
	add(depth, "wire_write_count(w, " x ".n, " fl ", " is_nullable(f) ");")
	add(depth, "for (int32_t i = 0; i < " x ".n; i++)")
	add(depth + 1, write_value(f, x ".v[i]", fl, "false"))
}

function writer(s,    k, f, w, absent, tagged) {
	tagged = 0
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		if (ftag[f] >= 0)
			tagged = 1
		w = when(flo[f], plain_hi(f), slo[s], shi[s])
		if (plain_hi(f) >= flo[f]) {
			if (w != "")
				add(1, "if (" w ")" (farray[f] || fpointer[f] ? " {" : ""))
			write_field(f, is_flexible(f, s), w == "" ? 1 : 2)
			if (w != "" && (farray[f] || fpointer[f]))
				add(1, "}")
		}
		absent = when(flo[f], fhi[f], slo[s], shi[s])
		if (absent != "" && !fign[f]) {
			add(1, "if (!(" absent ") && " differs_from_default(f) ")")
			add(2, "wire_write_fail(w, KE_UNSUPPORTED);")
		}
	}
	if (flex <= shi[s]) {
		if (tagged)
			write_tags(s)
		else {
			if (flex > slo[s])
				add(1, "if (flexible)")
			add(flex > slo[s] ? 2 : 1, "wire_write_uvarint(w, 0); /* no tagged fields */")
		}
	}
	finish("static void write_" sc[s], "struct wire_writer *w, const struct " sc[s] " *m, int16_t version")
}

function write_tags(s,    k, f, d, w, sum, n, order, i, j, tmp) {
	d = 1
	if (flex > slo[s]) {
		add(1, "if (flexible) {")
		d = 2
	}
	n = 0
	for (k = 0; k < sn[s]; k++)
		if (ftag[sf[s, k]] >= 0)
			order[n++] = sf[s, k]
	for (i = 1; i < n; i++) # by tag
		for (j = i; j > 0 && ftag[order[j - 1]] > ftag[order[j]]; j--) {
			tmp = order[j]
			order[j] = order[j - 1]
			order[j - 1] = tmp
		}
	sum = ""
	for (i = 0; i < n; i++) {
		f = order[i]
		w = when(tlo[f], fhi[f], flex > slo[s] ? flex : slo[s], shi[s])
		add(d, "const bool has_" fc[f] " = " (w == "" ? "" : w " && ") differs_from_default(f) ";")
		sum = sum (i == 0 ? "" : " + ") (n == 1 ? "" : "(uint32_t)") "has_" fc[f]
	}
	add(d, "wire_write_uvarint(w, " sum ");")
	for (i = 0; i < n; i++) {
		f = order[i]
		add(d, "if (has_" fc[f] ") {")
		add(d + 1, "size_t at = wire_write_tag(w, " ftag[f] ");")
		write_field(f, "true", d + 1)
		add(d + 1, "wire_end_tag(w, at);")
		add(d, "}")
	}
	if (d == 2)
		add(1, "}")
}

# ---- what others call -----------------------------------------------------------------------------

function public_functions() {
	print "static bool version_known(int16_t version)"
	print "{"
	put(1, "return version >= " upper_name("MIN_VERSION") " && version <= " upper_name("MAX_VERSION") ";")
	print "}"
	print ""
	put(0, "int " prefix "_decode(struct " prefix " *m, struct wire_reader *r, int16_t version)")
	print "{"
	put(1, "if (!version_known(version))")
	put(2, "return KE_UNSUPPORTED;")
	put(1, "read_" prefix "(m, r, version);")
	put(1, "return wire_read_status(r);")
	print "}"
	print ""
	put(0, (has_records ? "int " prefix "_encode_gaps" : "int " prefix "_encode") "(const struct " prefix \
		" *m, struct buf *b, int16_t version" (has_records ? ", struct wire_gaps *gaps)" : ")"))
	print "{"
	put(1, "struct wire_writer w;")
	print ""
	put(1, "if (!version_known(version))")
	put(2, "return KE_UNSUPPORTED;")
	put(1, "wire_writer_init(&w, b, " (has_records ? "gaps" : "NULL") ");")
	put(1, "write_" prefix "(&w, m, version);")
	put(1, "return wire_write_status(&w);")
	print "}"
	if (has_records) {
		print ""
		put(0, "int " prefix "_encode(const struct " prefix " *m, struct buf *b, int16_t version)")
		print "{"
		put(1, "return " prefix "_encode_gaps(m, b, version, NULL);")
		print "}"
	}
}
