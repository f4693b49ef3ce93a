#!/bin/sh
# Makes .venv, installs axhil from constraints.txt, and Icarus Verilog and GHDL where they are missing.
# `make setup` calls it; a second run of make finds the stamp and calls nothing.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=.venv

say() { printf '%s\n' "$*" >&2; }

# `sudo -n` never asks for a password: either it works at once or it is not ours to use.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

apt_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root true 2>/dev/null || return 1
  say "setup: installing $* with apt-get"
  as_root apt-get update -qq >/dev/null 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

command -v "$PYTHON" >/dev/null 2>&1 || {
  say "setup: $PYTHON not found on PATH; axhil needs Python 3.11 or newer"; exit 2; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  say "setup: axhil needs Python 3.11 or newer, $PYTHON is $("$PYTHON" -V); choose one with: make setup PYTHON=python3.12"; exit 2; }

if [ ! -x "$VENV/bin/pip" ]; then
  # Debian's python3 comes without ensurepip; the module is in python3-venv.
  if ! "$PYTHON" -c 'import ensurepip' >/dev/null 2>&1; then
    apt_install python3-venv || { say "setup: Python's venv module is incomplete (Debian: apt-get install python3-venv)"; exit 2; }
  fi
  "$PYTHON" -m venv "$VENV"
fi

say "setup: installing axhil and its pinned dependencies into $VENV (a minute or two)"
pip_install() { "$VENV/bin/python" -m pip install -qq --disable-pip-version-check -c constraints.txt "$@"; }
# The build requirements go into the same environment, pinned, so the build is the tested one
# and nothing is downloaded twice.
pip_install scikit-build-core nanobind cmake ninja
# torch first and by its pin: an unconstrained resolver run may pick a build with CUDA inside.
pip_install torch
pip_install --no-build-isolation --editable '.[dev]'
# Its metadata ask for a requests of 2020, which it imports nowhere that the tests come to.
pip_install --no-deps torchattacks

if ! command -v iverilog >/dev/null 2>&1; then
  apt_install iverilog || {
    say "setup: Icarus Verilog (iverilog) is missing and cannot be installed from here. Type one of:"
    say "  Debian, Ubuntu   sudo apt-get install iverilog"
    say "  Fedora           sudo dnf install iverilog"
    say "  macOS            brew install icarus-verilog"
    say "  conda            conda install -c conda-forge iverilog"
    say "then run make again. Everything that starts from the golden tables works without it."
    exit 2
  }
fi
command -v ghdl >/dev/null 2>&1 || apt_install ghdl || {
  say "setup: without ghdl everything but VHDL works (Debian, Ubuntu: sudo apt-get install ghdl)"
}
touch "$VENV/.axhil-ready"
say "setup: done ($("$VENV/bin/python" -V), $(iverilog -V 2>/dev/null | head -n 1))"
