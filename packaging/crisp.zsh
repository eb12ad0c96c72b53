#compdef crisp
# zsh completion for crisp(1). What the commands and options are, `crisp --help` says; containers, pods and images come from the
# daemon, which gets a second to answer.

_crisp_help() { # commands | options [COMMAND]: its words with what they are, as _describe takes them
	local kind=$1; shift
	crisp "$@" --help 2>/dev/null | awk -v kind=$kind '
		function say(word, text) { gsub(/:/, "\\:", word); gsub(/^ +/, "", text); print word ":" text }
		/^Commands:/ { commands = 1; next }
		/^[^ ]/ { commands = 0 }
		kind == "commands" && commands && /^  [a-z]/ { word = $1; sub(/^ +[^ ]+/, ""); say(word, $0) }
		kind == "options" && /^ +(-[a-z], )?--[a-z]/ {
			sub(/^ +(-[a-z], +)?/, ""); word = $1; sub(/^[^ ]+( [A-Z][^ ]*)?/, ""); say(word, $0)
		}'
}

_crisp_names() { # COMMAND FILTER [OPTION]: of the objects of a list
	crisp $1 --json --timeout 1 $3 2>/dev/null | jq -r $2 2>/dev/null
}

_crisp() {
	local command word=$words[CURRENT] containers='.containers[] | .id[:12], .metadata.name'
	local pods='.items[] | .id[:12], .metadata.name, "\(.metadata.namespace)/\(.metadata.name)"'
	local -a offered
	integer i

	case $words[CURRENT-1] in
	(--address | --timeout) return 1 ;;
	(--volume | -v | --log-dir | --output | -o) _files; return ;;
	esac
	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
		(--address | --timeout) ((++i)) ;;
		(-*) ;;
		(*) command=$words[i]; break ;;
		esac
	done
	if [[ $word == -* ]]; then
		offered=(${(f)"$(_crisp_help options $command)"})
		_describe -t options option offered
		return
	fi
	case $command in
	('') offered=(${(f)"$(_crisp_help commands)"}); _describe -t commands command offered; return ;;
	(exec | logs | stop | stats) offered=(${(f)"$(_crisp_names ps $containers)"}) ;;
	(start) offered=(${(f)"$(_crisp_names ps $containers -a)"}) ;;
	(inspect | rm) offered=(${(f)"$(_crisp_names ps $containers -a; _crisp_names pods $pods)"}) ;;
	(stopp | rmp | create | port-forward | why) offered=(${(f)"$(_crisp_names pods $pods)"}) ;;
	(debug) offered=(bundle) ;;
	(config) offered=(default dump check diff import) ;;
	(images) offered=(import export prune) ;;
	(rmi | run) offered=(${(f)"$(_crisp_names images '.images[].repoTags[]')"}) ;;
	esac
	if ((${#offered})); then
		compadd -a offered
	else
		_files
	fi
}

_crisp "$@"
