# bash completion for kbroker, kprod, kcons and ktopic: options, what they can be set to, commands, files.
# It asks the tool itself (--list-options): what is offered is what that very program takes.

# _kcore_values ARGUMENT BEFORE WORD: what an option's argument may be, by its name in the table;
# BEFORE is what stands in front of it in the same word
_kcore_values() {
	local choice word=$3
	local -a choices=()
	case $1 in
	*FILE*) mapfile -t COMPREPLY < <(compgen -P "$2" -f -- "$word") ;;
	*DIR*) mapfile -t COMPREPLY < <(compgen -P "$2" -d -- "$word") ;;
	*'|'*)
		IFS='|' read -ra choices <<<"$1"
		for choice in "${choices[@]%%\[*}"; do # zstd[:LEVEL]
			[[ $choice == *[A-Z]* || $choice != "$word"* ]] || COMPREPLY+=("$2$choice")
		done
		return ;;
	esac
	compopt -o filenames 2>/dev/null
}

_kcore() {
	local tool=${1/#\~\//$HOME/} command=- pending= ended= operands=0
	local -A takes=() # "COMMAND OPTION" to the name of its argument, "-": none
	local -a words=() commands=()
	local of letter long argument _ word piece rest=${COMP_LINE:0:COMP_POINT} i o

	while IFS=$'\t' read -r of letter long argument _; do
		if [[ ! $letter ]]; then commands+=("$of"); continue; fi
		[[ $letter == - ]] || takes["$of $letter"]=$argument
		takes["$of $long"]=$argument
	done < <("$tool" --list-options 2>/dev/null)

	# the words up to the cursor: bash has cut them at "=" and ":" too
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]} word=${rest#"${rest%%[![:space:]]*}"}
		((i < COMP_CWORD)) || piece=$word
		if [[ $i == 0 || $word != "$rest" ]]; then words+=("$piece"); else words[-1]+=$piece; fi
		rest=${word:${#piece}}
	done

	for word in "${words[@]:1:${#words[@]}-2}"; do
		if [[ $pending ]]; then
			pending=
		elif [[ $ended || $word != -?* ]]; then
			((++operands))
			[[ $command != - || ${#commands[@]} == 0 ]] || command=$word
		elif [[ $word == -- ]]; then
			ended=1
		elif [[ $word == --* ]]; then
			[[ $word == *=* ]] || pending=${takes["$command $word"]-${takes["- $word"]-}}
		else
			for ((i = 1; i < ${#word}; i++)); do
				o=-${word:i:1} pending=
				argument=${takes["$command $o"]-${takes["- $o"]--}}
				[[ $argument == - ]] || { ((i + 1 < ${#word})) || pending=$argument; break; }
			done
		fi
		[[ $pending != - ]] || pending=
	done

	COMPREPLY=()
	word=${words[-1]}
	if [[ $pending ]]; then
		_kcore_values "$pending" '' "$word"
	elif [[ ! $ended && $word == --*=* ]]; then
		o=${word%%=*}
		_kcore_values "${takes["$command $o"]-${takes["- $o"]-}}" '' "${word#*=}"
	elif [[ ! $ended && $word == -[!-]* && ${takes["$command ${word:0:2}"]-${takes["- ${word:0:2}"]--}} != - && ${#word} -gt 2 ]]; then
		o=${word:0:2}
		_kcore_values "${takes["$command $o"]-${takes["- $o"]}}" "$o" "${word:2}"
	elif [[ ! $ended && $word == -* ]]; then
		for o in "${!takes[@]}"; do
			[[ ${o%% *} == - || ${o%% *} == "$command" ]] || continue
			o=${o#* }
			[[ $o != "$word"* ]] || COMPREPLY+=("$o")
		done
	elif [[ ${#commands[@]} != 0 && $command == - ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${commands[*]}" -- "$word")
	elif [[ ${tool##*/} == kbroker && $ended && $operands == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
	elif [[ $ended && ${tool##*/} == kbroker || ${tool##*/} == kprod && $operands -gt 0 || $command == dump || $command == verify ]]; then
		_kcore_values FILE '' "$word"
	fi
}

complete -F _kcore kbroker kprod kcons ktopic
