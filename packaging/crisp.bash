# bash completion for crisp(1). What the commands and options are, `crisp --help` says; containers, pods and images come from
# the daemon, which gets a second to answer.

_crisp_help() { # [COMMAND]: its words, options first, then commands
	crisp "$@" --help 2>/dev/null | awk '
		/^Commands:/ { commands = 1; next }
		/^[^ ]/ { commands = 0 }
		commands && /^  [a-z]/ { print $1 }
		/^ +(-[a-z], )?--[a-z]/ { sub(/^ +(-[a-z], +)?/, ""); print $1 }'
}

_crisp_names() { # COMMAND FILTER: of the objects of a list
	crisp "$1" --json --timeout 1 ${3-} 2>/dev/null | jq -r "$2" 2>/dev/null
}

_crisp() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i words=
	local containers='.containers[] | .id[:12], .metadata.name' pods='.items[] | .id[:12], .metadata.name, "\(.metadata.namespace)/\(.metadata.name)"'

	COMPREPLY=()
	case $before in
	--address | --timeout) return ;;
	--volume | -v | --log-dir | --output | -o) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--address | --timeout) ((++i)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $word:$command in
	-*) words=$(_crisp_help $command | grep '^-') ;;
	*:) words=$(_crisp_help | grep -v '^-') ;;
	*:exec | *:logs | *:stop | *:stats) words=$(_crisp_names ps "$containers") ;;
	*:start) words=$(_crisp_names ps "$containers" -a) ;;
	*:inspect | *:rm) words=$(_crisp_names ps "$containers" -a; _crisp_names pods "$pods") ;;
	*:stopp | *:rmp | *:create | *:port-forward | *:why) words=$(_crisp_names pods "$pods") ;;
	*:debug) words=bundle ;;
	*:config) words='default dump check diff import' ;;
	*:images) words='import export prune' ;;
	*:rmi | *:run) words=$(_crisp_names images '.images[].repoTags[]') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	# bash takes a colon of an image's name for the begin of a word.
	declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$word"
	return 0
}

complete -o bashdefault -o default -F _crisp crisp
