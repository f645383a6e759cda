# Reads one schema file (../schema/README) into arrays; what uses them follows as a second -f file
# and starts in generate().
#
#   msg, prefix          the message's name and its snake_case
#   api, record          its API key, its record type; "" if it has none
#   mlo, mhi, flex       its versions and the first flexible one (NEVER if none)
#   structs 0..ns-1      sname, sc (C name), slo, shi, sn (fields), sf[s, k] (field index); 0 is the message
#                        itself, a struct stands before the structs of its fields
#   fields 0..nf-1       fname, fc (C name), ftype (as written, without []), fstruct (index of the struct
#                        it is of, or -1), farray, fpointer (a struct that may be null), fmaybe (one that
#                        is tagged), flo, fhi, nlo, nhi (nullable), fdef, fign, finflex,
#                        ftag (-1: none), tlo (tagged from here on)

BEGIN {
	NEVER = 32767
	split("bool int8 int16 int32 int64 uuid string bytes records", list, " ")
	for (i in list)
		scalar[list[i]] = 1
	api = record = msg = ""
	ns = nf = 0
	mlo = flex = -1
}

{ sub(/#.*/, "") }
/^[ \t]*$/ { next }
/\t/ { die("a tab; fields are indented with blanks") }
$1 == "message" && NF == 2 && msg == "" { msg = $2; prefix = snake(msg); next }
$1 == "api" && NF == 2 { api = $2 + 0; next }
$1 == "record" && NF == 2 { record = $2 + 0; next }
$1 == "versions" && NF == 2 { range($2); mlo = lo; mhi = hi; next }
$1 == "flexible" && NF == 2 {
	if ($2 == "none")
		flex = NEVER
	else {
		range($2)
		flex = lo
	}
	next
}
{ field() }

END {
	if (failed)
		exit 1
	if (nf == 0)
		die("no fields")
	generate()
}

function die(text) {
	print FILENAME ":" FNR ": " text > "/dev/stderr"
	failed = 1
	exit 1
}

# Sets lo and hi from 3+, 3-12 or 7.
function range(text,    part) {
	if (text !~ /^[0-9]+(\+|-[0-9]+)?$/)
		die("versions are 3+, 3-12 or 7, not " text)
	split(text, part, /[-+]/)
	lo = part[1] + 0
	hi = text ~ /\+/ ? NEVER : text ~ /-/ ? part[2] + 0 : lo
	if (lo > hi)
		die("versions run backwards: " text)
}

function snake(name,    out, i, c, before, after) {
	out = ""
	for (i = 1; i <= length(name); i++) {
		c = substr(name, i, 1)
		before = substr(name, i - 1, 1)
		after = substr(name, i + 1, 1)
		if (c ~ /[A-Z]/ && i > 1 && (before ~ /[a-z0-9]/ || after ~ /[a-z]/))
			out = out "_"
		out = out tolower(c)
	}
	return out
}

function add_struct(name, from, to) {
	struct_of[name] = ns
	sname[ns] = name
	if (name == msg)
		sc[ns] = prefix
	else if (index(name, msg) == 1)
		sc[ns] = snake(name)
	else
		sc[ns] = prefix "_" snake(name)
	slo[ns] = from
	shi[ns] = to
	sn[ns] = 0
	return ns++
}

# A struct named again is the same one; where it was first it has to have all the versions that it has here.
function known_struct(f, s,    t) {
	t = struct_of[ftype[f]]
	if (t <= s)
		die("a struct inside of itself, or before it is whole: " ftype[f])
	if (flo[f] < slo[t] || fhi[f] > shi[t])
		die(fname[f] " has versions that " ftype[f] " does not have where it is first used")
	return t
}

# One field line: owner[d] is the struct that fields of depth d belong to.
function field(    depth, s, f, k) {
	if (ns == 0) {
		if (msg == "" || mlo < 0 || flex < 0)
			die("message, versions and flexible come first")
		if (mhi == NEVER)
			die("the message's versions need an end")
		owner[0] = add_struct(msg, mlo, mhi)
		deepest = 0
	}
	match($0, /^ */)
	depth = RLENGTH / 2
	if (depth != int(depth) || depth > deepest)
		die("indentation")
	if (NF < 3)
		die("a field is NAME TYPE VERSIONS")
	s = owner[depth]
	f = nf++
	sf[s, sn[s]++] = f
	if ($1 !~ /^[A-Z][A-Za-z0-9]*$/)
		die("a field's name is CamelCase, not " $1)
	fname[f] = $1
	fc[f] = snake($1)
	if ((s, fc[f]) in taken)
		die("a second field " $1)
	taken[s, fc[f]] = 1

	farray[f] = sub(/^\[\]/, "", $2)
	ftype[f] = $2
	range($3)
	flo[f] = lo > slo[s] ? lo : slo[s]
	fhi[f] = hi < shi[s] ? hi : shi[s]
	if (flo[f] > fhi[f])
		die(fname[f] " exists in no version of its struct")

	nlo[f] = ftag[f] = -1
	fdef[f] = ""
	fign[f] = finflex[f] = 0
	for (k = 4; k <= NF; k++) {
		if ($k == "ignorable")
			fign[f] = 1
		else if ($k == "nullable") {
			range($(++k))
			nlo[f] = lo
			nhi[f] = hi
		} else if ($k == "default" && k < NF)
			fdef[f] = $(++k)
		else if ($k == "flexible" && $(k + 1) == "none") {
			finflex[f] = 1
			k++
		} else if ($k == "tag" && $(k + 1) ~ /^[0-9]+$/) {
			ftag[f] = $(k + 1) + 0
			range($(k + 2))
			tlo[f] = lo
			if (hi != NEVER || lo < flex)
				die("a tag's versions are N+, and flexible")
			k += 2
		} else
			die("unknown attribute " $k)
	}

	deepest = depth
	fstruct[f] = -1
	if (!(ftype[f] in scalar)) {
		if (ftype[f] !~ /^[A-Z][A-Za-z0-9]*$/)
			die("unknown type " ftype[f])
		if (ftype[f] in struct_of)
			fstruct[f] = known_struct(f, s)
		else {
			fstruct[f] = owner[depth + 1] = add_struct(ftype[f], flo[f], fhi[f])
			deepest = depth + 1
		}
	}
	check(f)
}

# What the attributes say must fit the type.
function check(f,    can_be_null) {
	can_be_null = farray[f] || fstruct[f] >= 0 || ftype[f] ~ /^(string|bytes|records)$/
	if (nlo[f] >= 0 && !can_be_null)
		die(ftype[f] " cannot be null")
	fpointer[f] = nlo[f] >= 0 && fstruct[f] >= 0 && !farray[f] && ftag[f] < 0
	fmaybe[f] = nlo[f] >= 0 && fstruct[f] >= 0 && !farray[f] && ftag[f] >= 0
	if ((fpointer[f] || fmaybe[f]) && (nlo[f] > flo[f] || nhi[f] < fhi[f]))
		die("a nullable struct is so in every version")
	if (fpointer[f] && fdef[f] != "null")
		die("a nullable struct is null by default")
	if (fmaybe[f] && (fdef[f] != "" || tlo[f] > flo[f]))
		die("a nullable struct that is tagged is so in every version, and not null by default")
	if (fdef[f] == "")
		return
	if (fdef[f] == "null") {
		if (nlo[f] < 0)
			die("default null, but not nullable")
	} else if (ftype[f] == "bool" && !farray[f]) {
		if (fdef[f] !~ /^(true|false)$/)
			die("a bool's default is true or false")
	} else if (ftype[f] ~ /^int/ && !farray[f]) {
		if (fdef[f] !~ /^(-?[0-9]+|0x[0-9a-fA-F]+)$/)
			die("not an integer: " fdef[f])
	} else
		die("no default for this type but null")
}
