#!/usr/bin/env bash
# Everything that reads the code without running it: deploy/check.sh lint|type...
# Each step prints its name, its seconds and, when it fails, what it said. All steps are run.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=()

step() {
  local name=$1 since=$SECONDS said
  shift
  if said="$("$@" 2>&1)"; then
    printf '  ok    %-16s %3d s\n' "$name" $((SECONDS - since))
  else
    printf '  FAIL  %-16s %3d s\n%s\n' "$name" $((SECONDS - since)) "$said"
    failed+=("$name")
  fi
}

lint() {
  step "ruff check" $bin/ruff check .
  step "ruff format" $bin/ruff format --check .
  step "import contracts" $bin/lint-imports --no-cache
  step "buf lint" $bin/buf lint
  step "buf format" $bin/buf format --diff --exit-code
  step "yamllint" $bin/yamllint --strict .
  step "ansible-lint" ansible_lint
}

# In an environment of its own: it is GPL and pulls an Ansible of its own choice.
ansible_lint() {
  (cd playbooks && PATH="$PWD/../.venv-lint/bin:$PATH" ../.venv-lint/bin/ansible-lint --offline --profile production --strict)
}

type() { step "mypy" $bin/mypy; }

for group in "$@"; do "$group"; done
if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'check: %d failed: %s\n' "${#failed[@]}" "${failed[*]}" >&2
  exit 1
fi
