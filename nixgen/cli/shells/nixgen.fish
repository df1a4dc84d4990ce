# Completion of nixgen for fish. In ~/.config/fish/config.fish: nixgen completion fish | source
function __nixgen_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $before[1])
    set -e before[1]
    for line in (env _NIXGEN_COMPLETE=fish $program $before "$word" 2>/dev/null)
        set -l prefix (string match -r '^.*=' -- "$word")
        set -l path (string replace -r '^.*=' '' -- "$word")
        switch $line
            case ':files'
                for each in (__fish_complete_path "$path")
                    echo "$prefix$each"
                end
            case ':folders'
                for each in (__fish_complete_directories "$path" '')
                    echo "$prefix$each"
                end
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c nixgen -f -a '(__nixgen_complete)'
