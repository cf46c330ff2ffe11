"""The tasks on offer."""

from __future__ import annotations

from typing import Final

from barrack_mcp.server.prompts.prompt import LONG, Argument, Prompt, read_steps

_REGION: Final = Argument("region", "Region, such as NORWAY-1.", "region")

DEPLOY_GPU: Final = Prompt(
    name="deploy-gpu",
    title="Deploy a GPU machine",
    description="From a need to a running machine: stock, price, a summary to agree to, then the purchase.",
    task="Help me deploy a GPU machine on Barrack AI. This spends money, so buy nothing before I have agreed to the "
    "summary that the steps ask for.",
    arguments=(
        Argument("purpose", "What the machine is for, such as fine-tuning a 70B model.", limit=LONG),
        Argument("gpu_model", "GPU model, such as H100-SXM5-80GB.", "gpu_model"),
        Argument("gpu_count", "How many GPUs: 1, 2, 4 or 8.", "gpu_count"),
        _REGION,
        Argument("tier", "legacy or advanced.", "tier"),
        Argument("max_hourly_price", "The most it may cost an hour, with the currency."),
    ),
    needs=("deploy_instance", "list_gpu_stock", "quote_price", "list_ssh_keys", "get_instance"),
    steps=read_steps("""
        - Ask me in one message for what is still open: GPU model and count (propose one for the purpose), region, for
          how long, the most it may cost, the system, and from which address I will log in. Ask nothing that is given.
        - `get_credit_balance`: how much credit there is.
        - `list_instances`: is there a HIBERNATED or SHUTOFF machine that would do? Offer it first (`restore_instance`
          for HIBERNATED, `start_instance` for SHUTOFF, which costs the full rate already). Note which names are
          taken.
        - `list_gpu_stock` for the model and region. If it is not free, show what is; replace nothing unasked.
        - `quote_price` with tier, gpu_model, gpu_count and currency. The price is for one GPU: multiply by the count.
          Work out what it costs an hour and a day, and how long the credit lasts beside what runs already.
        - `list_os_images` or `list_custom_images` for what to boot (a custom image must be available and of the same
          region), and `list_ssh_keys` for at least one key. If there is none, ask for my *public* key and use
          `create_ssh_key`; never ask for a private one.
        - Show the summary: name, tier, region, model and count, system, key, who may reach it, price an hour and a
          day, how long the credit lasts. Allow SSH (port 22) from my own address only, not from 0.0.0.0/0. Say that
          stopping the machine will not end the bill. Wait for my yes.
        - `deploy_instance` with `wait_seconds` 600, once. If its outcome is «unknown», look with `list_instances`; a
          second try may buy a second machine. If it is late, go on waiting as its answer says.
        - Once it is ACTIVE (`get_instance` shows it), tell me its IP and how to log in (user `ubuntu` on Ubuntu
          images). Rules may take up to 10 minutes. Say how to end the cost: `hibernate_instance` to pause,
          `delete_instance` to end it.
    """),
)

CUT_COSTS: Final = Prompt(
    name="cut-costs",
    title="Cut costs",
    description="Where the money goes per hour, what of it is idle, and what to hibernate or delete to save.",
    task="Find out what my Barrack AI account costs per hour and how to make it cost less. Report first; change only "
    "what I pick from the report.",
    arguments=(
        _REGION,
        Argument("goal", "What is to be reached, such as half of today's cost, or credit until Monday.", limit=LONG),
        Argument("keep", "What must not be touched: names or ids.", limit=LONG),
    ),
    needs=("list_instances",),
    steps=read_steps("""
        - `list_instances`, all pages: `hourly_rate` and `billed_at` say what each costs now. SHUTOFF machines cost
          the full rate: they are the first to look at.
        - `list_volumes`, all pages: each costs while it exists, attached or not. Look for those attached nowhere.
        - `list_snapshots`: each costs by the hour.
        - `get_pricing` for the rates of volumes and snapshots.
        - `get_credit_balance`: how many hours the credit lasts at this rate.
        - `get_instance_billing`: what has cost the most lately.
        - Report as a table, the dearest first: name, id, state, cost per hour, what you propose, what would be lost,
          what it saves an hour. Never propose stopping as a way to save. Whether a machine is idle the tools can't
          tell: ask me, don't assume. Leave out what must be kept. Wait for what I pick.
        - To pause a picked machine: `hibernate_instance`. It wants ACTIVE; `start_instance` first wakes a SHUTOFF
          one. Tell me before that the ephemeral disk and the public IP may be lost, and that `restore_instance` needs
          stock.
        - To end a picked machine: `delete_instance`, for good. First ask whether the data of its volumes is wanted;
          if so, `detach_volumes`.
        - Picked volumes and snapshots: `delete_volume`, `delete_snapshot`, for good, one at a time.
        - Read again what was changed, and say the cost per hour before and after.
    """),
)

IMAGE_FROM_INSTANCE: Final = Prompt(
    name="image-from-instance",
    title="Make an image of a machine",
    description="A reusable custom image from a machine, by way of a snapshot, with what may stand in the way.",
    task="Make a custom image of a machine on Barrack AI, from which others can be deployed.",
    arguments=(
        Argument("instance", "The machine: its id or its name.", "instance_id"),
        Argument("image_name", "Name of the image: 3 to 30 letters, digits, space, - _ ."),
        Argument("snapshot", "A snapshot to use instead of a new one: its id.", "snapshot_id"),
    ),
    needs=("get_snapshot", "get_snapshot_image", "create_custom_image"),
    steps=read_steps("""
        - Find the machine with `list_instances`; if the name fits none or several, ask me. If no machine is given,
          ask which.
        - `list_snapshot_eligible_instances`: it must be listed there (legacy tier, ACTIVE). If not, say why and stop;
          the advanced tier has no snapshots.
        - `list_snapshots`: if a recent one of this machine exists, ask whether to use it instead of a new one.
        - Ask for the name of the image if it is open: 3 to 30 letters, digits, space, - _ . and unique; propose one
          with purpose and version. `list_custom_images` shows the names that are taken.
        - Before a new snapshot, remind me to flush running work and to remove what every copy would carry along
          (keys, tokens, history). Say that a snapshot costs by the hour until it is deleted.
        - `get_pricing` has what a snapshot costs.
        - `create_snapshot` with `wait_seconds` 600 (unless one is given), once.
        - `get_snapshot`: it must be SUCCESS or available; if it is late, go on waiting.
        - `get_snapshot_image`: a snapshot can have one image. If it has one, offer: use that, or take a new snapshot,
          or delete the old image (for good). Decide nothing of that for me.
        - `create_custom_image` with `wait_seconds` 600, once. If the API says that the profile is incomplete, tell me
          to complete it at barrack.ai.
        - `get_custom_image`: it must be available; if it is late, go on waiting.
        - Report: the image's id, name and region (machines from it are deployed in that region), and that the
          snapshot and the machine go on costing. Ask whether the snapshot is still wanted.
    """),
)

LOCK_DOWN_NETWORK: Final = Prompt(
    name="lock-down-network",
    title="Lock down the network",
    description="Who can reach a machine now, and narrowing it to the addresses you name, without locking you out.",
    task="See who can reach my machines on Barrack AI and narrow it to what is needed, without locking me out. Report "
    "first; change only what I agree to.",
    arguments=(
        Argument("instance", "One machine: its id or its name. Without it, all.", "instance_id"),
        Argument("firewall", "One firewall: its id.", "firewall_id"),
        Argument("allow_from", "Who may go on reaching it: addresses or networks, such as 203.0.113.7/32.", limit=LONG),
        Argument("ports", "Which ports they need, such as 22, 443."),
    ),
    needs=("list_instances", "get_instance", "list_instance_firewalls"),
    steps=read_steps("""
        - `list_instances` for the machines and their public IPs; with a name given, find its id.
        - For each machine in question `get_instance` (its own rules) and `list_instance_firewalls` (those of its
          firewalls). Traffic that either lets in gets in.
        - `get_firewall` for each firewall in question: a change of it hits every machine attached to it.
        - Report each ingress rule: from where, which ports, on which machines. Mark those open to everybody
          (0.0.0.0/0, ::/0) or to a wide network, above all SSH (22) and Jupyter (8888).
        - If I have not said from which address I work, ask me; don't guess it. Propose for each wide rule: keep,
          narrow, or remove. Wait for my answer.
        - First let in the narrow address: `add_instance_security_rule` on one machine, or `add_firewall_rule` for all
          machines of a firewall. It may take up to 10 minutes. Then have me log in through it in a second session.
        - Only when I say that this works, remove the wide rules: `remove_instance_security_rule`,
          `remove_firewall_rule`. Open connections may be cut.
        - If a firewall has to be attached: `attach_firewall` with `add`; whoever has it keeps it.
        - If a machine needs no public IP at all, say that it can be taken away with `toggle_instance_public_ip` and
          `want` off. The address may not come back, so only when I ask for it.
        - Read the rules again and say who can reach what now. None of this changes the bill: a stopped (SHUTOFF)
          machine costs the full rate, reachable or not.
    """),
)

CLEAN_UP: Final = Prompt(
    name="clean-up",
    title="Clean up",
    description="What is left over - machines, volumes, snapshots, images, firewalls, keys, scripts - and deleting it.",
    task="Find what is left over in my Barrack AI account and help me remove it. Deleting is for good, so report first "
    "and delete only what I name.",
    arguments=(
        _REGION,
        Argument("older_than", "Only what is older, such as 30 days."),
        Argument("keep", "What must not be touched: names or ids.", limit=LONG),
    ),
    needs=("list_instances",),
    steps=read_steps("""
        - Look at all pages of what there is. `list_instances`: SHUTOFF (costs the full rate) and HIBERNATED machines.
        - `list_volumes`: attached nowhere.
        - `list_snapshots`, and with `list_snapshot_images` which of them have an image.
        - `list_custom_images`: those whose snapshot is gone, and older versions of the same name.
        - `list_firewalls`: attached to nothing.
        - `list_ssh_keys`: whether a key is still used, the list may not tell; ask me.
        - `list_startup_scripts`: likewise.
        - Report in a table: kind, name, id, age, state, cost per hour where known, why it looks left over, what would
          be lost. Put what costs money first. Leave out what must be kept. Wait until I name what goes; «all» needs
          the list repeated and confirmed.
        - Machines: `delete_instance`, one call at a time, each by its id. The server asks a person to type the name:
          say beforehand which name, and stop at the first refusal. First ask whether the data on attached volumes is
          wanted; if so, `detach_volumes`.
        - Volumes: `delete_volume`, once detached.
        - Snapshots: `delete_snapshot`. Images made from it should stay.
        - Images: `delete_custom_image`. Machines made from it stay.
        - Firewalls: `delete_firewall`.
        - Keys: `delete_ssh_key`. Scripts: `delete_startup_script`.
        - List again what is there, and say what is gone, what stayed and what the account saves an hour.
    """),
)

INVESTIGATE_INSTANCE: Final = Prompt(
    name="investigate-instance",
    title="Investigate a machine",
    description="Why a machine can't be reached, is slow to come up, costs too much or is in a strange state.",
    task="Find out what is going on with a machine on Barrack AI. Look only; propose what to do, and change something "
    "only when I agree.",
    arguments=(
        Argument("instance", "The machine: its id or its name.", "instance_id", required=True),
        Argument("symptom", "What is wrong, in your words.", limit=LONG),
    ),
    needs=("list_instances", "get_instance"),
    steps=read_steps("""
        - If a name is given, find the id with `list_instances`; if it fits none or several, ask me.
        - `get_instance`: state, IPs, volumes, own rules, allowed operations, cost. Unknown states count as on the
          way. If it is on the way, look again about every 20 seconds, for a few minutes at most.
        - `list_instance_firewalls`: with the machine's own rules, which ports are open from where? No rule for port
          22 from my address, or no public IP, explains a failing SSH. New rules may take up to 10 minutes.
        - `get_volume` for each attached volume that looks wrong: state and attachment.
        - `get_instance_billing` with its id: since when and how much it has cost.
        - `get_credit_balance`: when credit runs out, running machines are hibernated.
        - `list_gpu_stock`, if it is HIBERNATED: without free stock it can't be restored now.
        - The tools don't see inside the machine. For what only shows there (full disk, driver, CUDA, processes), tell
          me which commands to run and ask for their output.
        - Report: what is certain, what is likely, what is not known, each with the field it comes from. Say what the
          machine costs as it is: SHUTOFF costs the full rate.
        - Propose the gentlest remedy first, with what it interrupts and costs, and wait for my yes. SHUTOFF:
          `start_instance`. HIBERNATED: `restore_instance`. Hanging: `reboot_instance`, which loses running work.
    """),
)

MOVE_VOLUME: Final = Prompt(
    name="move-volume",
    title="Move a volume",
    description="A volume from one machine to another, seen to fit before it is taken off.",
    task="Move a volume to another machine on Barrack AI. Find out first whether the other one can have it, so that it "
    "is not taken off for nothing.",
    arguments=(
        Argument("volume", "The volume: its id or its name.", "volume_id"),
        Argument("to", "The machine that gets it: its id or its name.", "instance_id"),
    ),
    needs=("get_volume", "get_instance", "attach_volumes", "detach_volumes"),
    steps=read_steps("""
        - If the volume or the machine is not given, ask me; `list_volumes` and `list_instances` show what there is.
        - `get_volume`: its region, and which machine has it now. A machine's boot volume can't be moved: if it is one,
          say so and stop.
        - `get_instance` for the machine that gets it: it must be of the same region, and usually ACTIVE. If it is not,
          say what is in the way and stop.
        - If a machine has it: have me stop what writes to it and unmount it there, and wait for my word.
        - `detach_volumes` with `wait_seconds` 120, if a machine has it. Go on only once it is available.
        - `attach_volumes` with `wait_seconds` 120. If that is refused, tell me why; the first machine can have it back.
        - Tell me which machine has it now and that it has to be mounted inside. The bill is the same: a volume costs
          until it is deleted, attached or not.
    """),
)

LIKE_THIS_ONE: Final = Prompt(
    name="like-this-one",
    title="Another machine like this one",
    description="A machine as one that is there, with stock and price seen first, and what is not taken over said.",
    task="Deploy a machine like one that I have on Barrack AI. This spends money, so buy nothing before I have agreed "
    "to the summary that the steps ask for.",
    arguments=(
        Argument("instance", "The machine to be like: its id or its name.", "instance_id", required=True),
        Argument("name", "Name of the new one: 1 to 50 letters, digits, space, - _ ."),
        Argument("changes", "What is to be otherwise, such as 2 GPUs.", limit=LONG),
    ),
    needs=("deploy_instance", "get_instance", "list_gpu_stock", "quote_price"),
    steps=read_steps("""
        - `get_instance`: its GPU model and count, region, tier, image, keys, rules, firewalls, volumes, rate.
        - `list_gpu_stock` for that model and region. If there is none, say what there is; replace nothing unasked.
        - `quote_price` for its tier, model and count: what another one costs an hour and a day.
        - Show the summary: name, what is the same, what is otherwise, who may reach it, price an hour and a day. What
          is on its disks is not copied: that needs a snapshot. Say that stopping the machine will not end the bill.
          Ask me for a name if it is open, and wait for my yes.
        - `deploy_instance` with `like`, the new `name`, what is to be otherwise, and `wait_seconds` 600; once. Its
          answer says what is not taken over. If it is late, go on waiting as its answer says.
        - If the other one has firewalls that this one should have: `attach_firewall` with `add`.
        - Tell me its IP and how to log in. Say how to end the cost: `hibernate_instance` to pause, `delete_instance` to
          end it.
    """),
)

EVENING: Final = Prompt(
    name="evening",
    title="Good evening",
    description="What runs and what it costs until morning, and hibernating what is not needed until then.",
    task="It is evening. Show me what my Barrack AI account costs until morning, and hibernate what I pick. Report "
    "first; change only what I pick.",
    arguments=(
        Argument("hours", "How many hours until it is needed again, such as 14."),
        Argument("keep", "What must go on running: names or ids.", limit=LONG),
    ),
    needs=("list_instances", "hibernate_instance"),
    steps=read_steps("""
        - `get_spending_overview`: what all costs an hour, until when the credit lasts, what is idle and costs.
        - `list_instances`, all pages: `hourly_rate` and `billed_at` say what each costs now. SHUTOFF machines cost the
          full rate.
        - Report as a table, the dearest first: name, state, cost an hour, what it costs until morning (14 hours if I
          have not said how long), and what hibernating it saves. Whether a machine works the tools can't tell: ask me,
          don't assume. Leave out what must go on running. Never propose stopping as a way to save. Wait for what I
          pick.
        - Say before: the ephemeral disk and the public IP may be lost, and waking a machine needs stock.
        - Picked and SHUTOFF: `start_instance` with `wait_seconds` 120 first, since hibernating wants ACTIVE.
        - Picked: `hibernate_instance` with `wait_seconds` 240, one machine a call.
        - Say what the account costs an hour now, before and after, and that `restore_instance` wakes each in the
          morning.
    """),
)

PROMPTS: Final = (
    DEPLOY_GPU,
    LIKE_THIS_ONE,
    CUT_COSTS,
    EVENING,
    IMAGE_FROM_INSTANCE,
    MOVE_VOLUME,
    LOCK_DOWN_NETWORK,
    CLEAN_UP,
    INVESTIGATE_INSTANCE,
)
"""All tasks, in the order in which they are listed."""
BY_NAME: Final = {prompt.name: prompt for prompt in PROMPTS}
