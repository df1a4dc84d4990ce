# Completion of nixgen for bash. In ~/.bashrc: eval "$(nixgen completion bash)"
_nixgen() {
  local line="${COMP_LINE:0:COMP_POINT}"
  line="$(_NIXGEN_COMPLETE=bash _NIXGEN_LINE="${line#*"$1"}" _NIXGEN_BREAKS="$COMP_WORDBREAKS" \
    "${1/#\~/$HOME}" 2>/dev/null)"
  COMPREPLY=()
  local word
  while IFS= read -r word; do
    case "$word" in
      :files) compopt -o default ;;
      :folders) compopt -o dirnames ;;
      :nospace) compopt -o nospace ;;
      ?*) COMPREPLY+=("$word") ;;
    esac
  done <<<"$line"
}
complete -F _nixgen nixgen
