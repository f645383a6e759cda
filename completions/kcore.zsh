#compdef kbroker kprod kcons ktopic
# zsh completion. The tool itself says what there is (--complete): options, commands, choices, topics
# and configurations of the broker that the line names.

_kcore() {
	local who about tab=$'\t'
	local -a answer

	answer=("${(@f)$("${(Q)words[1]/#\~\//$HOME/}" --complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
	who=${answer[1]}
	answer[1]=()
	case $who in
	words)
		local -a whole=() half=() of_whole=() of_half=()
		for about in "${answer[@]}"; do
			if [[ $about == *[=:]$tab* ]]; then
				half+=("${about%%$tab*}") of_half+=("${${about/$tab/  -- }%  -- }")
			else
				whole+=("${about%%$tab*}") of_whole+=("${${about/$tab/  -- }%  -- }")
			fi
		done
		(( ! $#whole )) || compadd -l -d of_whole -- "${whole[@]}"
		(( ! $#half )) || compadd -l -d of_half -S '' -- "${half[@]}"
		(( $#whole || $#half ))
		;;
	files*|dirs*)
		compset -p ${who#* }
		if [[ $who == dirs* ]]; then _files -/; else _files; fi
		;;
	commands*) _command_names -e ;;
	*) return 1 ;;
	esac
}

_kcore "$@"
