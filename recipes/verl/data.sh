#!/usr/bin/env bash
# The paper's three question sets as verl's data files: data.sh FOLDER
# Questions and answers come from the hub (pip install 'ttrl[hub]'), or from files of yours:
#   AIME24=aime24.json AMC=amc.json MATH500=math500.jsonl recipes/verl/data.sh data
# Training never sees the answers: they go to evaluation.parquet, which verl's validation grades.
set -euo pipefail
out=${1:?"usage: data.sh FOLDER"}

write() { # NAME QUESTIONS
    ttrl export-data --format verl --questions "$2" --answers answer --votes-per-question 64 \
        --out "$out/$1"
}

write aime24 "${AIME24:-hub:HuggingFaceH4/aime_2024:train}"
write amc "${AMC:-hub:AI-MO/aimo-validation-amc:train}"
write math500 "${MATH500:-hub:HuggingFaceH4/MATH-500:test}"
