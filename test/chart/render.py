"""Renders and lints a Helm chart.

Reads {"chart", "lint": {name: values}, "render": {name: values}} from standard input, and writes
{"lint": {name: [finding]}, "render": {name: {"files": {path: text}} or {"refused"}}}.
"""

import json
import sys

import helm_python


def rendered(chart, values):
    try:
        return {"files": chart.render(values, name="tidemark", namespace="backup")}
    except helm_python.HelmError as error:
        return {"refused": str(error)}


def linted(path, values):
    report = helm_python.lint(path, values, strict=True)
    # 1 is advice, such as an icon.
    return [one["error"] for one in report["messages"] if one["severity"] != 1] + report["errors"]


def main():
    asked = json.load(sys.stdin)
    with helm_python.Chart.load(asked["chart"]) as chart:
        answer = {
            "lint": {name: linted(asked["chart"], values) for name, values in asked["lint"].items()},
            "render": {name: rendered(chart, values) for name, values in asked["render"].items()},
        }
    json.dump(answer, sys.stdout)


main()
