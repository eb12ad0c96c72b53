#compdef crisp
# zsh completion for crisp(1). What the commands and options are, `crisp --help` says; containers, pods, images and handlers come
# from the daemon, which gets a second to answer.

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

_crisp_values() { # [COMMAND]: its options that take a value, each with what that is
	crisp "$@" --help 2>/dev/null | awk '
		/^ +(-[a-z], )?--[a-z][a-z-]* [A-Z]/ {
			if ($1 ~ /,$/) { print substr($1, 1, 2), $3; print $2, $3 } else print $1, $2
		}'
}

_crisp_names() { # COMMAND FILTER [OPTION]: of the objects of a list
	crisp $1 --json --timeout 1 $3 2>/dev/null | jq -r $2 2>/dev/null
}

_crisp() {
	local command word=$words[CURRENT] containers='.containers[] | .id[:12], .metadata.name'
	local pods='.items[] | .id[:12], .metadata.name, "\(.metadata.namespace)/\(.metadata.name)"'
	local -a offered
	local -A takes=(--address ADDRESS --timeout SECONDS)
	integer i at=0

	# at: how many operands stand before this word.
	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
		(-*) [[ -z ${takes[$words[i]]-} ]] || ((++i)) ;;
		(*)
			if [[ -n $command ]]; then ((++at)); continue; fi
			command=$words[i]
			takes+=($(_crisp_values $command))
			;;
		esac
	done
	[[ $words[CURRENT-1] != -* ]] || case ${takes[$words[CURRENT-1]]-} in
	('') ;;
	(FILE* | DIR* | PATH*) _files; return ;;
	(HANDLER) offered=(${(f)"$(_crisp_names info '.runtimeHandlers[].name | select(. != "")')"}); compadd -a offered; return ;;
	(WHEN) offered=(always missing never); compadd -a offered; return ;;
	(*) return 1 ;;
	esac
	if [[ $word == -* && $command:$at != (exec|run):[1-9]* ]]; then
		offered=(${(f)"$(_crisp_help options $command)"})
		_describe -t options option offered
		return
	fi
	case $command:$at in
	(:*) offered=(${(f)"$(_crisp_help commands)"}); _describe -t commands command offered; return ;;
	(exec:0 | logs:0 | stop:* | stats:*) offered=(${(f)"$(_crisp_names ps $containers)"}) ;;
	(start:*) offered=(${(f)"$(_crisp_names ps $containers -a)"}) ;;
	(inspect:* | rm:*) offered=(${(f)"$(_crisp_names ps $containers -a; _crisp_names pods $pods)"}) ;;
	(stopp:* | rmp:* | create:0 | port-forward:0 | why:0) offered=(${(f)"$(_crisp_names pods $pods)"}) ;;
	(debug:0) offered=(bundle) ;;
	(config:0) offered=(default dump check diff import) ;;
	(images:0) offered=(import export prune) ;;
	(rmi:* | run:0) offered=(${(f)"$(_crisp_names images '.images[].repoTags[]')"}) ;;
	(images:*) [[ $words[CURRENT-at] != export ]] || offered=(${(f)"$(_crisp_names images '.images[].repoTags[]')"}) ;;
	esac
	if ((${#offered})); then
		compadd -a offered
	else
		_files
	fi
}

_crisp "$@"
