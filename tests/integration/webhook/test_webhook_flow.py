"""From a paid checkout to the key page, and to the end of the subscription."""

from claw_crds import naming
from tests.integration.webhook.conftest import PUBLIC_URL, World, bodies


async def test_a_paid_checkout_becomes_an_instance_a_mail_and_a_key(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        instance = await world.instance_of(subscription)
        assert instance["metadata"]["annotations"] == {naming.SUBSCRIPTION: subscription}
        assert instance["spec"]["planRef"] == {"name": "pro"}
        assert instance["spec"]["state"] == "Running"
        assert instance["spec"]["customer"]["email"] == "ada@example.com"
        assert instance["spec"]["customer"]["name"] == "Ada Lovelace"
        assert instance["spec"]["customer"]["locale"] == "en-GB"
        await world.settled()
        instance = await world.instance_of(subscription)
        assert instance["spec"]["customer"]["timezone"] == "Europe/London"

        name = instance["metadata"]["name"]
        await world.cluster.make_available(name, key="claw_the_key", url="http://127.0.0.1:4242")
        link = await world.key_link()
        (mail,) = world.mails.mails
        assert mail["To"] == "ada@example.com"
        assert mail["Message-ID"].startswith("<welcome.")
        for body in bodies(mail):
            assert PUBLIC_URL + link in body
            assert "http://127.0.0.1:4242/api/chat" in body
            assert "Hello Ada Lovelace" in body
            assert "claw_the_key" not in body

        asked = await world.get(link)
        assert (asked.status, "claw_the_key" in asked.text) == (200, False)
        shown = await world.post(link)
        assert (shown.status, "claw_the_key" in shown.text) == (200, True)

        (row,) = await world.rows("SELECT * FROM instances JOIN customers ON customers.email = 'ada@example.com'")
        assert (row["url"], row["secret_name"]) == ("http://127.0.0.1:4242", f"{name}-credentials")
        assert 0 < row["available_seconds"] < 60

        await world.controls.cancel(subscription)
        row = await world.eventually_row("SELECT * FROM subscriptions WHERE standing = 'Ended'")
        await world.settled()
        spec = (await world.instance_of(subscription))["spec"]
        assert spec["state"] == "Suspended"
        assert spec["deleteAfter"] == row["deletion_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
