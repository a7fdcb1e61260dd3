"""Does something with a release of a Helm chart in a cluster.

Reads {"kubeconfig", "namespace", "action": "install" | "upgrade" | "uninstall", "chart", "values"} from standard input.
"""

import json
import sys

import helm_python

NAME = "tidemark"


def main():
    asked = json.load(sys.stdin)
    options = {"kubeconfig_content": asked["kubeconfig"], "namespace": asked["namespace"]}
    with helm_python.Config(**options) as config:
        if asked["action"] == "uninstall":
            config.uninstall(NAME)
        else:
            act = {"install": config.install, "upgrade": config.upgrade}[asked["action"]]
            act(asked["chart"], NAME, asked["values"], namespace=asked["namespace"])


main()
