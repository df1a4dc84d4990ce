#compdef nixgen
# Completion of nixgen for zsh. In ~/.zshrc: eval "$(nixgen completion zsh)"
_nixgen() {
  local line rest
  local -a before found
  (( CURRENT > 2 )) && before=("${(@Q)words[2,CURRENT-1]}")
  for line in "${(@f)$(_NIXGEN_COMPLETE=zsh "${(Q)${words[1]/#\~/$HOME}}" "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
    case "$line" in
      :*) rest="${line#:}" ;;
      *$'\t'*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
      ?*) found+=("${line//:/\\:}") ;;
    esac
  done
  case "$rest" in
    files) compset -P '--*='; _files ;;
    folders) compset -P '*='; _files -/ ;;
    nospace) _describe nixgen found -S '' ;;
    *) (( $#found )) && _describe nixgen found ;;
  esac
}
if [[ "${funcstack[1]}" == _nixgen ]]; then
  _nixgen "$@" # found in fpath
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _nixgen nixgen
fi
