#!/usr/bin/env bash
# import-linter 2.16 with grimp 3.19, Python 3.11 on Linux.
#
# A contract of type "layers" that puts a module into one layer and the package that contains it into
# another cannot be checked, which is fair: the package's layer includes the module. The surprise is how
# that ends. The whole run stops with the one line "Modules have shared descendants.": it names neither
# the contract nor the modules, and the contracts that follow are not checked or listed at all.
#
# Why it matters: after a move of files a project with several contracts gets one sentence and has to
# try contract by contract which of them is meant; and a script that only looks for the word BROKEN in
# the output sees none, although nothing was checked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check import-linter==2.16 grimp==3.19 2>/dev/null
cd "$folder"
mkdir -p house/attic
touch house/__init__.py house/attic/__init__.py house/attic/box.py house/cellar.py
cat > pyproject.toml <<'TOML'
[tool.importlinter]
root_package = "house"

[[tool.importlinter.contracts]]
name = "The first one"
type = "layers"
layers = ["house.attic.box", "house.attic"]

[[tool.importlinter.contracts]]
name = "The second one"
type = "forbidden"
source_modules = ["house.cellar"]
forbidden_modules = ["house.attic"]
TOML
set +e
said=$(PYTHONPATH=. "$folder/venv/bin/lint-imports" 2>&1)
code=$?
set -e
printf '%s\nexit code %s\n' "$(printf '%s' "$said" | tail -n 3)" "$code"
[ "$code" -ne 0 ] || { echo "changed: the run succeeds"; exit 1; }
grep -q "shared descendants" <<< "$said" || { echo "changed: another message"; exit 1; }
for word in "first one" "second one" house.attic BROKEN; do
  if grep -q "$word" <<< "$said"; then echo "changed: the output says $word"; exit 1; fi
done
echo "as described: neither the contract nor the modules are named, and nothing after it is checked"
