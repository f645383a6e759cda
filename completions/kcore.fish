# fish completion for kbroker, kprod, kcons and ktopic. The tool itself says what there is (--complete):
# options, commands, choices, topics and configurations of the broker that the line names.

function __kcore_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l tool (string replace -r '^~/' "$HOME/" -- $words[1])
    type -q -- $tool; or return
    set -l answer ($tool --complete $words[2..-1] $word 2>/dev/null)
    set -l who (string split ' ' -- $answer[1])
    switch "$who[1]"
        case words
            printf '%s\n' $answer[2..-1]
        case files dirs
            set -l before (string sub -l $who[2] -- $word)
            set -l behind (string sub -s (math $who[2] + 1) -- $word)
            if test $who[1] = files
                __fish_complete_path $behind
            else
                __fish_complete_directories $behind
            end | string replace -r '^' -- $before
        case commands
            __fish_complete_command
    end
end

for tool in kbroker kprod kcons ktopic
    complete -c $tool -e
    complete -c $tool -f -a '(__kcore_complete)'
end
