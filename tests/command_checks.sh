# Sourced by tests of the posemb command, in a folder of their own: `posemb` is its path. Counts in
# `passed` and `failed`.
unset POSEMB_DEVICE
export LC_ALL=C
passed=0
failed=0

pass()
{
    passed=$((passed + 1))
}

fail()
{
    failed=$((failed + 1))
    echo "FAILED: $*"
}

# holds WHAT COMMAND...: the command succeeds. lacks: it fails.
holds()
{
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then pass; else fail "$what: $*"; fi
}

lacks()
{
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then fail "$what: $*"; else pass; fi
}

# run STATUS ARGUMENT...: posemb exits with the status; its output is in the files stdout and stderr.
run()
{
    local wanted=$1 status=0
    shift
    last="posemb $*"
    "$posemb" "$@" >stdout 2>stderr || status=$?
    if [ "$status" -eq "$wanted" ]; then
        pass
    else
        fail "$last: exit status $status, not $wanted; $(head -c 300 stderr)"
    fi
}

# says stdout|stderr TEXT...: what the last run wrote there holds each text.
says()
{
    local stream=$1 text
    shift
    for text in "$@"; do
        if grep -qF -e "$text" "$stream"; then
            pass
        else
            fail "$last: no \"$text\" on $stream: $(head -c 300 "$stream")"
        fi
    done
}

silent()
{
    if [ -s "$1" ]; then fail "$last: wrote to $1: $(head -c 300 "$1")"; else pass; fi
}

# usage NAME VALUE ARGUMENT...: refused as wrong usage; stderr has the name and the value.
usage()
{
    local name=$1 value=$2
    shift 2
    run 2 "$@"
    says stderr "$name" "$value"
    silent stdout
}
