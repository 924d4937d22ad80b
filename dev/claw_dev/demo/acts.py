"""The demo's acts, in order. Each looks at the world itself: processes, databases, objects, answers."""

import json
import re
import time
from io import BytesIO
from zipfile import ZipFile

import psutil
from rich.console import Console

from claw_crds import naming
from claw_dev.demo.critical_path import critical_path
from claw_dev.demo.outside import runs
from claw_dev.demo.stage import DoesNotHold, Object, Stage, check, present, ready_reason
from claw_dev.demo.telling import Act
from claw_dev.errors import StackError
from claw_dev.parts import Part, Providers
from claw_dev.simulators.stripe.delivery import Signing
from claw_dev.simulators.stripe.orders import CompleteCheckout, Deliver
from claw_dev.simulators.stripe.records import SubscriptionStatus

ADA = "ada@example.com"
PRO = "claw_pro_monthly"
_KEY = "claw_[0-9A-Za-z]{49}"


async def plans(stage: Stage) -> str:
    """What can be bought."""
    return await stage.kubectl("get", "clawplans")


async def checkout(stage: Stage) -> str:
    """A customer pays; Stripe delivers the signed event."""
    stage.marks.delivered = time.monotonic()
    bought = await stage.stripe.complete_checkout(
        CompleteCheckout(
            email=ADA, name="Ada Lovelace", price="claw_pro_monthly", metadata={"timezone": "Europe/London"}
        )
    )
    stage.subscription = bought["subscription"]["id"]

    async def accepted() -> list[Object]:
        attempts = await stage.stripe.deliveries()
        return [a for a in attempts if a["status"] == 200 and a["type"] == "checkout.session.completed"]

    delivered = await stage.until("a delivery that is answered with 200", accepted)
    stage.event = next(
        (d["event"] for d in delivered if d["type"] == "checkout.session.completed"), delivered[0]["event"]
    )
    return f"{stage.subscription} is paid; checkout.session.completed was signed, delivered and stored"


async def available(stage: Stage) -> str:
    """The operator makes the world match."""
    found = await stage.until_reason("Available")
    status = found["status"]
    stage.url = status["url"]
    stage.marks.provisioning = status["provisioning"]["seconds"]
    stage.marks.starting = next(
        (s["seconds"] for s in status["provisioning"]["steps"] if s["name"] == "StartRuntime"), 0.0
    )
    if stage.stack.providers is Providers.SIMULATED:
        stage.path = await critical_path(stage.stack.clouds, stage.http, status)
    shown = await stage.kubectl("get", "clawinstances")
    conditions = "\n".join(
        f"{c['type']:14} {c['status']:6} {c['reason']:17} {c.get('message', '')}".rstrip() for c in status["conditions"]
    )
    return f"{shown}\n{conditions}"


async def key(stage: Stage) -> str:
    """The mail's link shows the key, once."""
    link = await stage.key_link(ADA)
    asked = await stage.http.get(link)
    check(asked.status_code == 200 and not re.search(_KEY, asked.text), "GET must show a button and not the key")
    shown = await stage.http.post(link)
    found = present(re.search(_KEY, shown.text), f"POST must show the key; it answered {shown.status_code}")
    again = await stage.http.post(link)
    check(again.status_code == 410 and not re.search(_KEY, again.text), f"a second POST answered {again.status_code}")
    stage.api_key = found.group()
    return f"the link of the welcome mail showed a key ({stage.api_key[:8]}…, {len(stage.api_key)} characters), once"


async def chat(stage: Stage) -> str:
    """A plain answer."""
    answered = await stage.answer("POST", "/api/chat", {"message": "Hello! What is my name?"})
    stage.marks.answered = time.monotonic()
    check(answered["reply"], "the reply is empty")
    check(answered["usage"]["messagesUsed"] == 1, f"one message was used, not {answered['usage']['messagesUsed']}")
    stage.conversation = answered["conversationId"]
    return f"{answered['reply']}\n{json.dumps(answered['usage'])}"


async def stream(stage: Stage) -> str:
    """The same conversation, as server-sent events."""
    body = {"message": "And now in pieces, please.", "conversationId": stage.conversation, "stream": True}
    events: list[tuple[str, Object]] = []
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    async with stage.http.stream("POST", stage.url + "/api/chat", json=body, headers=headers) as response:
        check(response.status_code == 200, f"the stream answered {response.status_code}")
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    pieces = [data["text"] for name, data in events if name == "text"]
    check(len(pieces) > 1, f"the answer came in {len(pieces)} pieces")
    check(events[-1][0] == "done", f"the stream ended with {events[-1][0] if events else 'nothing'}")
    return f"{''.join(pieces)}\n{len(pieces)} pieces, then usage and done"


async def refused(stage: Stage) -> str:
    """What must not get in."""
    duplicate = await stage.stripe.deliver(Deliver(event=stage.event))
    check(duplicate["status"] == 200, f"the same event again answered {duplicate['status']}, not 200")
    forged = await stage.stripe.deliver(Deliver(event=stage.event, signing=Signing.FORGED))
    check(forged["status"] == 400, f"a forged signature answered {forged['status']}, not 400")
    old = await stage.stripe.deliver(Deliver(event=stage.event, age=3600))
    check(old["status"] == 400, f"an old signature answered {old['status']}, not 400")
    wrong = await stage.http.get(stage.url + "/status", headers={"Authorization": f"Bearer {stage.api_key[:-1]}x"})
    check(wrong.status_code == 401, f"a wrong API key answered {wrong.status_code}, not 401")
    listed = json.loads(await stage.kubectl("get", "clawinstances", "-o", "json"))["items"]
    check(len(listed) == 1, f"there are {len(listed)} instances")
    return "the same event again: 200 and nothing new; forged: 400; an hour old: 400; a wrong API key: 401"


async def memory(stage: Stage) -> str:
    """Store and find."""
    await stage.answer("POST", "/api/memory", {"content": "Ada's favourite machine is the analytical engine."})
    await stage.answer("POST", "/api/memory", {"content": "The dog is called Byron."})
    found = await stage.answer("GET", "/api/memory/search?q=favourite+machine")
    check("analytical engine" in json.dumps(found), f"the memory was not found: {json.dumps(found)[:300]}")
    return "stored two, searched for “favourite machine”: found the analytical engine"


async def tools(stage: Stage) -> str:
    """The assistant writes something down in one conversation, and knows it in the next."""
    told = await stage.answer("POST", "/api/chat", {"message": "Please remember that the night train goes to Turin."})
    check(_used(told, "memory_write"), f"the assistant did not write it down: {json.dumps(told)[:300]}")
    asked = await stage.answer("POST", "/api/chat", {"message": "What do you remember about the night train?"})
    check(asked["conversationId"] != told["conversationId"], "the second question has a conversation of its own")
    check("Turin" in asked["reply"], f"the assistant does not know it any more: {asked['reply'][:300]}")
    used = ", ".join(tool["name"] for tool in told["tools"] + asked["tools"])
    return f"{asked['reply']}\nused on the way: {used}"


def _used(answered: Object, name: str) -> bool:
    return any(tool["name"] == name and tool["ok"] for tool in answered["tools"])


async def upgrade(stage: Stage) -> str:
    """Another plan, without a restart."""
    runtime = await stage.runtime()
    await stage.stripe.change_price(stage.subscription, "claw_team_monthly")

    async def limit() -> bool:
        status = await stage.answer("GET", "/status")
        return bool(status["usage"]["messagesLimit"] == 100_000)

    await stage.until("the limit of plan team", limit)
    found = await stage.until_reason("Available")
    check(found["spec"]["planRef"]["name"] == "team", "the ClawInstance names plan team")
    check(await stage.runtime() == runtime, "the runtime was restarted")
    return f"20,000 → 100,000 messages a month; {runtime} was not restarted"


async def suspend(stage: Stage) -> str:
    """Not paid, then paid after all."""
    await stage.stripe.set_status(stage.subscription, SubscriptionStatus.UNPAID)
    await stage.until_reason("Suspended")
    response = await stage.ask("POST", "/api/chat", {"message": "Are you there?"})
    check(response.status_code == 402, f"a suspended assistant answered {response.status_code}, not 402")
    await stage.stripe.set_status(stage.subscription, SubscriptionStatus.ACTIVE)
    await stage.until_reason("Available")
    kept = await stage.answer("GET", f"/api/conversations/{stage.conversation}")
    check(len(kept["messages"]) == 4, f"the conversation has {len(kept['messages'])} messages, not 4")
    return "unpaid: chat answers 402, data kept; paid: answers again, with all it knew"


async def killed(stage: Stage) -> str:
    """The runtime's process dies."""
    process, runtime = await stage.outside.process(await stage.uid()), await stage.runtime()
    psutil.Process(process).kill()

    async def back() -> bool:
        try:
            return (await stage.ask("GET", "/status")).is_success and await stage.runtime() != runtime
        except (DoesNotHold, StackError):
            return False

    await stage.until("the runtime comes back", back)
    await stage.until_reason("Available")
    answered = await stage.answer("POST", "/api/chat", {"message": "Back?", "conversationId": stage.conversation})
    check(answered["usage"]["messagesUsed"] == 5, f"usage says {answered['usage']['messagesUsed']} messages, not 5")
    return f"{runtime} was killed, {await stage.runtime()} answers at the same address, usage and all"


async def operator(stage: Stage) -> str:
    """The operator restarts."""
    before, runtime = await stage.instance(), await stage.runtime()
    await stage.stack.restart(Part.OPERATOR)

    async def passed() -> bool:
        page = await stage.http.get(stage.stack.operator_url + "/metrics")
        return any(line.startswith('claw_passes_total{result="ok"}') for line in page.text.splitlines())

    await stage.until("a pass of the new operator", passed)
    after = await stage.instance()
    check(await stage.runtime() == runtime, "the runtime was restarted")
    changed = after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    check(not changed or ready_reason(after) == "Available", "the restart disturbed the instance")
    check(after["metadata"]["generation"] == before["metadata"]["generation"], "the restart changed the spec")
    return f"a new operator looked at everything and changed nothing; {runtime} went on"


async def cancel(stage: Stage) -> str:
    """The subscription ends: nobody answers any more, and everything is kept for a while."""
    said = (await stage.answer("GET", f"/api/conversations/{stage.conversation}"))["messages"]
    await stage.stripe.cancel(stage.subscription)
    ended = await stage.until_reason("Suspended")
    deleted_after = present(ended["status"].get("deletionTime"), "the status tells no deletionTime")
    refused = await stage.ask("POST", "/api/chat", {"message": "Still there?"})
    check(refused.status_code == 402, f"chat answers {refused.status_code}, not 402")
    answer = await stage.http.post(await stage.link_in_mail("exports", ADA))
    check(answer.is_success, f"the export answers {answer.status_code}")
    with ZipFile(BytesIO(answer.content)) as archive:
        messages = [json.loads(line) for line in archive.read("data/messages.jsonl").splitlines() if line]
        files = sum(name.startswith("workspace/") for name in archive.namelist())
    kept = [message for message in messages if message["conversation_id"] == stage.conversation]
    check(len(kept) == len(said), f"the export has {len(kept)} messages of the conversation, not {len(said)}")
    return f"kept until {deleted_after}; the goodbye's link downloads it all: {len(messages)} messages, {files} files"


async def delete(stage: Stage) -> str:
    """Somebody does not want to wait for that day, and nothing is left."""
    uid, name, runtime = await stage.uid(), stage.instance_name, await stage.runtime()
    process = await stage.outside.process(uid) if stage.outside.has_processes else None
    await stage.kubectl("delete", "clawinstance", name, "--wait=false")

    async def gone() -> bool:
        return not await stage.instance()

    await stage.until("the ClawInstance goes", gone, 60)
    secret = await stage.kubectl("get", "secret", naming.credentials_secret_name(name), "--ignore-not-found")
    check(not secret.strip(), "the Secret is still there")
    remains = await stage.outside.remains(uid)
    check(not remains, f"still there: {', '.join(remains)}")
    check(process is None or not runs(process), f"{runtime} still runs")
    return f"gone: ClawInstance {name}, its Secret, its compute and database {naming.external_name(uid)}, {runtime}"


ACTS = (
    Act("plans can be bought", plans),
    Act("a customer pays: checkout.session.completed", checkout),
    Act("the instance becomes Available", available),
    Act("the welcome mail's link shows the API key, once", key),
    Act("chat", chat),
    Act("chat, streamed", stream),
    Act("duplicates change nothing, forgeries are refused", refused),
    Act("memory: store and find", memory),
    Act("chat with tools, and a memory of an earlier conversation", tools),
    Act("upgrade from Pro to Team", upgrade),
    Act("suspend and resume", suspend),
    Act("the runtime is killed", killed, on_this_machine=True),
    Act("the operator is restarted", operator),
    Act("cancel: suspended, kept, exported", cancel),
    Act("delete", delete),
)


async def by_hand(stage: Stage, console: Console) -> None:
    """What a person can try while the stack stays up: with a new customer, since the first one has left."""
    bought = await stage.stripe.complete_checkout(
        CompleteCheckout(email="grace@example.com", name="Grace Hopper", price=PRO)
    )
    stage.subscription = bought["subscription"]["id"]
    found = await stage.until_reason("Available")
    link = await stage.key_link("grace@example.com")
    url, kubeconfig = found["status"]["url"], stage.stack.kubeconfig
    console.print(
        f"""
A second customer, Grace, has paid. The stack stays up until Ctrl-C; try by hand, in another terminal:

  # her key, once: press the button at
  {link}
  curl {url}/api/chat -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{{"message": "Hello"}}'

  export KUBECONFIG={kubeconfig}
  kubectl -n {stage.stack.namespace} get clawinstances -o wide
  kubectl -n {stage.stack.namespace} describe claw {stage.instance_name}
  kubectl edit clawplan pro
  kubectl -n {stage.stack.namespace} delete claw {stage.instance_name}
""",
        soft_wrap=True,
    )
