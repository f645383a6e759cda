# Writes, for one message that lib/wire/gen/parse.awk has read, what the tests need beside the library's
# code: a function that makes the JSON which Kafka's <Message>JsonConverter makes, and the entry for
# the table of all messages (tests/wire/messages.h).

function generate(    s) {
	print "#include \"wire/messages.h\""
	print "#include \"wire/" prefix ".h\""
	print ""
	for (s = ns - 1; s >= 0; s--)
		printer(s)
	wrappers()
}

function camel(f) {
	return tolower(substr(fname[f], 1, 1)) substr(fname[f], 2)
}

function value(f, x,    n) {
	if (fpointer[f])
		return x " ? json_" sc[fstruct[f]] "(" x ", version) : json_null()"
	if (fmaybe[f])
		return x ".is_null ? json_null() : json_" sc[fstruct[f]] "(&" x ".v, version)"
	if (fstruct[f] >= 0)
		return "json_" sc[fstruct[f]] "(&" x ", version)"
	if (ftype[f] == "bool")
		return "json_boolean(" x ")"
	if (ftype[f] ~ /^int/)
		return "json_integer(" x ")"
	return "message_json_" ftype[f] "(" x ")"
}

# Tagged fields that have their default are not written, and not shown either.
function shown(f,    x, w) {
	x = "m->" fc[f]
	w = "version >= " flo[f] " && version <= " fhi[f]
	if (ftag[f] < 0)
		return w
	if (farray[f])
		return w " && " x ".n " (fdef[f] == "null" ? ">= 0" : "!= 0")
	if (fstruct[f] >= 0)
		return w " && message_json_differs(" value(f, x) ", " value(f, "fresh." fc[f]) ")"
	if (ftype[f] == "uuid")
		return w " && !uuid_is_zero(" x ")"
	if (ftype[f] ~ /^(string|bytes|records)$/)
		return w " && !slice_eq(" x ", fresh." fc[f] ")"
	return w " && " x " != fresh." fc[f]
}

function printer(s,    k, f, key, x) {
	print "static json_t *json_" sc[s] "(const struct " sc[s] " *m, int version)"
	print "{"
	print "    struct " sc[s] " fresh;"
	print "    json_t *o = json_object();"
	print ""
	print "    " sc[s] "_init(&fresh);"
	for (k = 0; k < sn[s]; k++) {
		f = sf[s, k]
		x = "m->" fc[f]
		key = camel(f) (ftype[f] == "records" ? "SizeInBytes" : "")
		print "    if (" shown(f) ") {"
		if (farray[f]) {
			print "        json_t *a = " x ".n < 0 ? json_null() : json_array();"
			print "        for (int32_t i = 0; i < " x ".n; i++)"
			print "            json_array_append_new(a, " value(f, x ".v[i]") ");"
			print "        json_object_set_new(o, \"" key "\", a);"
		} else if (ftype[f] == "records") {
			print "        json_object_set_new(o, " x ".p ? \"" key "\" : \"" camel(f) "\", " value(f, x) ");"
		} else
			print "        json_object_set_new(o, \"" key "\", " value(f, x) ");"
		print "    }"
	}
	print "    (void)version;"
	print "    return o;"
	print "}"
	print ""
}

function wrappers() {
	print "static void init(void *m)\n{\n    " prefix "_init(m);\n}\n"
	print "static int decode(void *m, struct wire_reader *r, int16_t version)\n{"
	print "    return " prefix "_decode(m, r, version);\n}\n"
	print "static int encode(const void *m, struct buf *b, int16_t version)\n{"
	print "    return " prefix "_encode(m, b, version);\n}\n"
	print "static json_t *json(const void *m, int version)\n{\n    return json_" prefix "(m, version);\n}\n"
	print "const struct message message_" prefix " = {"
	print "    .name = \"" msg "\","
	print "    .record = " (record == "" ? -1 : record) ","
	print "    .min = " mlo ","
	print "    .max = " mhi ","
	print "    .size = sizeof(struct " prefix "),"
	print "    .init = init,"
	print "    .decode = decode,"
	print "    .encode = encode,"
	print "    .json = json,"
	print "};"
}
