#!/usr/bin/env bash
# Kaldi's convention: variables set before this file is sourced are options of the script that sources it.
#   --some_name VALUE, --some_name=VALUE or --some-name VALUE   sets ${some_name}
#   --help                                                     prints ${help_message}
# The first word that is no option ends the list; it and the rest stay in "$@".
# A name that no variable has is an error, and so is a value other than true or false for a boolean.

while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h)
        printf '%s\n' "${help_message:-usage: $0 [--option value] ...}"
        exit 0
        ;;
    --)
        shift
        break
        ;;
    --*)
        _name=${1%%=*}
        _name=${_name#--}
        _name=${_name//-/_}
        if ! [[ ${_name} =~ ^[a-z][a-z0-9_]*$ ]] || [ -z "${!_name+set}" ]; then
            echo "error: $0: unknown option '${1%%=*}'. See $0 --help" >&2
            exit 2
        fi
        if [[ $1 == *=* ]]; then
            _value=${1#*=}
            shift
        elif [ $# -ge 2 ]; then
            _value=$2
            shift 2
        else
            echo "error: $0: option '$1' has no value. See $0 --help" >&2
            exit 2
        fi
        if [[ ${!_name} =~ ^(true|false)$ ]] && ! [[ ${_value} =~ ^(true|false)$ ]]; then
            echo "error: $0: option '--${_name}' is true or false, not '${_value}'" >&2
            exit 2
        fi
        printf -v "${_name}" '%s' "${_value}"
        ;;
    *)
        break
        ;;
    esac
done
unset _name _value
