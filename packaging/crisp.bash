# bash completion for crisp(1). What the commands and options are, `crisp --help` says; containers, pods, images and handlers come
# from the daemon, which gets a second to answer.

_crisp_help() { # [COMMAND]: its words, options first, then commands
	crisp "$@" --help 2>/dev/null | awk '
		/^Commands:/ { commands = 1; next }
		/^[^ ]/ { commands = 0 }
		commands && /^  [a-z]/ { print $1 }
		/^ +(-[a-z], )?--[a-z]/ { sub(/^ +(-[a-z], +)?/, ""); print $1 }'
}

_crisp_values() { # [COMMAND]: its options that take a value, each with what that is
	crisp "$@" --help 2>/dev/null | awk '
		/^ +(-[a-z], )?--[a-z][a-z-]* [A-Z]/ {
			if ($1 ~ /,$/) { print substr($1, 1, 2), $3; print $2, $3 } else print $1, $2
		}'
}

_crisp_names() { # COMMAND FILTER: of the objects of a list
	crisp "$1" --json --timeout 1 ${3-} 2>/dev/null | jq -r "$2" 2>/dev/null
}

_crisp() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= values option value i at=0 words=
	local containers='.containers[] | .id[:12], .metadata.name'
	local pods='.items[] | .id[:12], .metadata.name, "\(.metadata.namespace)/\(.metadata.name)"'
	local -A takes=([--address]=ADDRESS [--timeout]=SECONDS)

	COMPREPLY=()
	# at: how many operands stand before this word.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) [ -z "${takes[${COMP_WORDS[i]}]-}" ] || ((++i)) ;;
		*)
			if [ -n "$command" ]; then ((++at)); continue; fi
			command=${COMP_WORDS[i]} values=$(_crisp_values "${COMP_WORDS[i]}")
			while read -r option value; do [ -z "$option" ] || takes[$option]=$value; done <<<"$values"
			;;
		esac
	done
	case $before in -*) value=${takes[$before]-} ;; *) value= ;; esac
	case $value in
	'') ;;
	FILE* | DIR* | PATH*) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
	HANDLER) mapfile -t COMPREPLY < <(compgen -W "$(_crisp_names info '.runtimeHandlers[].name | select(. != "")')" -- "$word"); return ;;
	WHEN) mapfile -t COMPREPLY < <(compgen -W 'always missing never' -- "$word"); return ;;
	*) return ;;
	esac
	case $word:$command:$at in
	*:exec:[1-9]* | *:run:[1-9]*) ;; # the container's command
	-*) words=$(_crisp_help $command | grep '^-') ;;
	*::*) words=$(_crisp_help | grep -v '^-') ;;
	*:exec:0 | *:logs:0 | *:stop:* | *:stats:*) words=$(_crisp_names ps "$containers") ;;
	*:start:*) words=$(_crisp_names ps "$containers" -a) ;;
	*:inspect:* | *:rm:*) words=$(_crisp_names ps "$containers" -a; _crisp_names pods "$pods") ;;
	*:stopp:* | *:rmp:* | *:create:0 | *:port-forward:0 | *:why:0) words=$(_crisp_names pods "$pods") ;;
	*:debug:0) words=bundle ;;
	*:config:0) words='default dump check diff import' ;;
	*:images:0) words='import export prune' ;;
	*:rmi:* | *:run:0) words=$(_crisp_names images '.images[].repoTags[]') ;;
	*:images:*) [ "${COMP_WORDS[COMP_CWORD - at]}" != export ] || words=$(_crisp_names images '.images[].repoTags[]') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	# bash takes a colon of an image's name for the begin of a word.
	declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$word"
	return 0
}

complete -o bashdefault -o default -F _crisp crisp
