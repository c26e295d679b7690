#!/bin/sh
# The nightly run: score, deliver what was left, monitor. One at a time.
#
#   nightly.sh CONFIG
#
# Results (JSON) go to standard output, progress and what went wrong to standard error.
# Exit code: 0 if all is done, else that of the step which ended the night; 75 if another
# run holds the lock.
#
#   NIGHTLY_LOCK    the lock file; default: the config's path with .lock
#   NIGHTLY_PAUSES  seconds before each further try; default: 300 600 1200 2400 3600
set -u

config=${1-}
if [ ! -f "$config" ]; then
    echo "usage: nightly.sh CONFIG, a portfolio's YAML file" >&2
    exit 2
fi
lock=${NIGHTLY_LOCK:-$config.lock}
pauses=${NIGHTLY_PAUSES-300 600 1200 2400 3600}
child=

say() {
    echo "$(date -u +%H:%M:%S)  nightly: $*" >&2
}

# A signal is passed on to what runs. portfolio-ml takes back what is half done.
stop() {
    trap '' HUP INT TERM
    if [ -n "$child" ]; then
        kill -s TERM "$child" 2>/dev/null
        wait "$child"
    fi
    say "stopped; the same command finishes"
    exit 130
}

# Whatever takes long runs in the background, so that a signal is not kept waiting.
await() {
    child=$!
    wait "$child"
    code=$?
    child=
}

# One step of the night. It returns where the step is done, or had nothing to do.
step() {
    for pause in $pauses last; do
        portfolio-ml "$@" --config "$config" --json &
        await
        case $code in
            0 | 99) return ;;
            69 | 75) [ "$pause" = last ] && break ;;
            *) break ;;
        esac
        say "$1: exit code $code, again in $pause seconds"
        sleep "$pause" 9>&- & # it does not keep the lock
        await
    done
    say "$1: exit code $code, the night ends here"
    exit "$code"
}

# The lock lasts as long as this process, and any step that outlives it.
true >>"$lock" || exit 2
exec 9>>"$lock"
if ! flock -n 9; then
    say "another run holds $lock"
    exit 75
fi
trap stop HUP INT TERM

step score
step deliver --retry
step monitor --fail-on retrain
say "done"
