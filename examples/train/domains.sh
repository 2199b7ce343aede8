#!/usr/bin/env bash
# Fine-tunes the default model on two domains, people in streets and clothes, and measures the results.
set -euo pipefail
photographs=$1 runs=$2

for domain in street-fashion clothing; do
  python "$(dirname "$0")/domain.py" "$photographs" "$runs/$domain" "$domain"
  photochrom train "$runs/$domain" -o "$runs/$domain-run" --epochs 1.5
  photochrom evaluate "$runs/$domain" --held-out --model default --model "$runs/$domain-run/model.onnx"
  photochrom evaluate "$photographs" --held-out --limit 400 --model default --model "$runs/$domain-run/model.onnx"
done
