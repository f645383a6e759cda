# bash completion for kbroker, kprod, kcons and ktopic. The tool itself says what there is (--complete):
# options, commands, choices, topics and configurations of the broker that the line names.

_kcore() {
	local tool=${1/#\~\//$HOME/} rest=${COMP_LINE:0:COMP_POINT} cut i piece word what=
	local -a words=()

	# the words up to the cursor: bash has cut them at "=" and ":" too
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]} word=${rest#"${rest%%[![:space:]]*}"}
		((i < COMP_CWORD)) || piece=$word
		if [[ $i == 0 || $word != "$rest" ]]; then words+=("$piece"); else words[-1]+=$piece; fi
		rest=${word:${#piece}}
	done

	COMPREPLY=()
	word=${words[-1]} cut=0
	# what bash takes for the word is what stands behind the last of these
	[[ $word != *[=:]* || $COMP_WORDBREAKS != *[=:]* ]] || { piece=${word%"${word##*[=:]}"} cut=${#piece}; }
	{
		read -r what
		while IFS=$'\t' read -r piece _; do COMPREPLY+=("${piece:cut}"); done
	} < <("$tool" --complete "${words[@]:1}" 2>/dev/null)
	i=${what#* } # so much stands before what is to be completed
	case $what in
	files*) mapfile -t COMPREPLY < <(compgen -P "${word:cut:i > cut ? i - cut : 0}" -f -- "${word:i}") ;;
	dirs*) mapfile -t COMPREPLY < <(compgen -P "${word:cut:i > cut ? i - cut : 0}" -d -- "${word:i}") ;;
	commands*) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
	esac
	[[ $what == words ]] || compopt -o filenames 2>/dev/null || :
	[[ ${COMPREPLY[0]-} != *[=:] ]] || compopt -o nospace 2>/dev/null || :
	return 0
}

complete -F _kcore kbroker kprod kcons ktopic
