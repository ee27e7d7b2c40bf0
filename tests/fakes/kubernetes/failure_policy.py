"""Pod failure policy of a Job: select the rule that matches a failed pod."""

from tests.fakes.kubernetes.resources import Object


def policy_action(job: Object, pod: Object) -> tuple[str, str]:
    """Return the action and the message of the first rule that matches a failed pod."""
    where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for index, rule in enumerate(job["spec"].get("podFailurePolicy", {}).get("rules", ())):
        for wanted in rule.get("onPodConditions") or ():
            for each in pod["status"].get("conditions", ()):
                if each["type"] == wanted["type"] and each["status"] == wanted["status"]:
                    return (
                        rule["action"],
                        f"Pod {where} has condition {each['type']} matching {rule['action']} "
                        f"rule at index {index}",
                    )
        wanted = rule.get("onExitCodes")
        code = _exit_code(pod)
        if wanted and code and (code in wanted["values"]) is (wanted["operator"] == "In"):
            name = pod["spec"]["containers"][0]["name"]
            sentence = (
                f"Container {name} for pod {where} failed with exit code {code} matching "
                f"{rule['action']} rule at index {index}"
            )
            return rule["action"], sentence
    return "Count", ""


def _exit_code(pod: Object) -> int:
    for each in pod["status"].get("containerStatuses", ()):
        return int(each["state"].get("terminated", {}).get("exitCode", 0))
    return 0
