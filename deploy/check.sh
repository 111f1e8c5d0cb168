#!/usr/bin/env bash
# Everything that reads the code without running it: deploy/check.sh lint|type...
# A single step has the name of its function below; .pre-commit-config.yaml calls them so.
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

ruff_check() { step "ruff check" $bin/ruff check .; }
ruff_format() { step "ruff format" $bin/ruff format --check .; }
import_contracts() { step "import contracts" $bin/lint-imports --no-cache; }
buf_lint() { step "buf lint" $bin/buf lint; }
buf_format() { step "buf format" $bin/buf format --diff --exit-code; }
yamllint() { step "yamllint" $bin/yamllint --strict .; }
ansible_lint() { step "ansible-lint" ansible_lint_alone; }
types() { step "mypy" $bin/mypy; }

# In an environment of its own: it is GPL and pulls an Ansible of its own choice.
ansible_lint_alone() {
  (cd playbooks && PATH="$PWD/../.venv-lint/bin:$PATH" ../.venv-lint/bin/ansible-lint --offline --profile production --strict)
}

lint() {
  ruff_check
  ruff_format
  import_contracts
  buf_lint
  buf_format
  yamllint
  ansible_lint
}

type() { types; }

for group in "$@"; do "$group"; done
if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'check: %d failed: %s\n' "${#failed[@]}" "${failed[*]}" >&2
  exit 1
fi
