"""Writes every-reason.ndjson, and every-reason.expected.json: what a model of the rules, written for clarity and knowing
nothing of the gateway, answers to it under several options. Run it in this directory: python3 every-reason.py
"""

import datetime
import json
from collections import Counter, defaultdict

# ---------------------------------------------------------------- the trace

lines = []
clock = None


def at(text):
    """Sets the time of the next line; each line after it comes a second later."""
    global clock
    clock = datetime.datetime.fromisoformat(text)


def op(name, **fields):
    global clock
    time = clock.strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"type" if key == "kind" else key: value for key, value in fields.items()}
    lines.append({"at": time, "op": name, **fields})
    clock += datetime.timedelta(seconds=1)


def u(first, last):
    return [f"u{number:03}" for number in range(first, last + 1)]


def users():
    """Trial has room for 100 users, and for 100 that log in on a day."""
    for user in u(1, 101):
        op("register_user", user=user)
    op("register_user", user="u001")
    for user in u(1, 100):
        op("login", user=user)
    op("delete_user", user="u100")
    op("login", user="u101")  # unknown, and the day is full: registers nobody
    op("register_user", user="u100")
    op("login", user="u100")  # is among the day's users since before
    op("delete_user", user="u099")
    op("delete_user", user="u099")
    op("register_user", user="u101")
    op("login", user="u101")
    op("login", user="u102")  # unknown, and the app is full
    op("delete_user", user="u098")
    op("register_user", user="zoë \"the\" 1st")  # escapes, and more than ASCII


def friends():
    """20 friends on a list; only a list that would grow needs room."""
    for friend in u(2, 22):
        op("add_friend", user="u001", friend=friend)
    op("add_friend", user="u022", friend="u001")
    op("add_friend", user="u022", friend="u001", one_way=True)
    op("add_friend", user="u022", friend="u001", one_way=True)
    op("add_friend", user="u001", friend="nobody")
    op("add_friend", user="nobody", friend="u001")
    op("remove_friend", user="u001", friend="u002", one_way=True)
    op("add_friend", user="u002", friend="u001")  # stands on the own list, grows the other
    op("remove_friend", user="u001", friend="u003")
    op("remove_friend", user="u001", friend="u003", one_way=False)
    op("add_friend", user="u022", friend="u001", one_way=False)
    op("add_friend", user="u001", friend="u003")
    op("delete_user", user="u021")
    op("add_friend", user="u001", friend="u003")
    op("remove_friend", user="nobody", friend="u001")
    op("add_friend", user="u060", friend="u061")
    op("add_friend", user="u062", friend="u060", one_way=True)


def groups():
    """20 members in a group, 50 groups for a user, 10 rooms in the app, 5 broadcasting rooms on a day."""
    members = u(2, 20) + ["u001", "u002", "nobody", "u022"]
    op("create_group", group="public", kind="Public", owner="u001", members=members)
    op("join_group", group="public", user="u023")
    op("join_group", group="public", user="u002")
    op("join_group", group="none", user="u023")
    op("join_group", group="public", user="nobody")
    op("leave_group", group="public", user="u005")
    op("leave_group", group="public", user="u005")
    op("join_group", group="public", user="u023", kind="Public")
    op("create_group", group="public", kind="Public", owner="u001", members=["u005"])
    op("create_group", group="public", kind="Work", owner="u002")
    op("create_group", group="new", kind="Public", owner="nobody")
    for room in range(1, 12):
        op("create_group", group=f"live{room}", kind="AVChatRoom", owner="u030")
    op("delete_group", group="live1")
    op("delete_group", group="live1")
    op("create_group", group="live11", kind="AVChatRoom", owner="u030", members=[])
    for user in u(40, 60):
        op("join_group", group="live2", user=user)
    for room in range(1, 7):
        op("create_group", group=f"broadcast{room}", kind="BChatRoom", owner="u031")
    op("delete_group", group="broadcast1")
    op("create_group", group="broadcast6", kind="BChatRoom", owner="u031")
    for number in range(1, 52):
        kind = ["Work", "Private", "Meeting", "ChatRoom"][number % 4]
        op("create_group", group=f"many{number}", kind=kind, owner="u032")
    op("join_group", group="public", user="u032")
    op("leave_group", group="many1", user="u032")
    op("create_group", group="many51", kind="Meeting", owner="u032")
    op("create_group", group="many1", kind="Private", owner="u032")  # the owner for ever
    for number in range(1, 13):
        op("create_group", group=f"town{number}", kind="Public", owner=f"u{60 + number:03}")


def days_and_months():
    """The day turns at 16:00:00Z, on the 31st the month too."""
    at("2026-01-30T15:59:58Z")
    op("login", user="u040")
    op("create_group", group="broadcast7", kind="BChatRoom", owner="u031")
    op("create_group", group="broadcast7", kind="BChatRoom", owner="u031")  # 16:00:00Z
    op("login", user="u040")
    op("delete_group", group="broadcast2")  # an old one gives the day a place
    for number in range(13, 20):
        op("create_group", group=f"town{number}", kind="Public", owner=f"u{60 + number:03}")
    for room in range(8, 14):
        op("create_group", group=f"broadcast{room}", kind="BChatRoom", owner="u033")
    op("delete_user", user="u032")  # its groups stay
    op("register_user", user="u032")
    op("create_group", group="many2", kind="Public", owner="u032")
    at("2026-01-31T15:59:57Z")
    op("delete_group", group="many3")
    op("delete_group", group="many4")
    op("login", user="u041")
    op("login", user="u041")  # 16:00:00Z: February
    op("login", user="u042")
    # Nothing in March.


def editions():
    """Pro: 200 members, at which a private group is full for good. Flagship: 2,000. Then Trial again, over every limit."""
    at("2026-04-10T08:00:00Z")
    op("set_edition", edition="pro")
    for number in range(1, 121):
        op("register_user", user=f"p{number:03}")
    for user in u(40, 46):
        op("login", user=user)
    crowd = u(2, 97) + [f"p{number:03}" for number in range(1, 121)]
    op("create_group", group="private", kind="Private", owner="u001", members=crowd[:130])
    op("create_group", group="chat", kind="ChatRoom", owner="u001", members=crowd)
    op("join_group", group="chat", user="p120")
    for user in crowd[130:]:
        op("join_group", group="private", user=user)
    op("set_edition", edition="flagship")
    op("join_group", group="chat", user="p120")
    op("join_group", group="private", user="p120")
    op("create_group", group="live1", kind="AVChatRoom", owner="u030")
    at("2026-05-20T08:00:00Z")
    op("set_edition", edition="trial")
    op("register_user", user="p121")
    op("login", user="p121")
    op("login", user="p001")
    op("join_group", group="chat", user="p119")
    op("leave_group", group="chat", user="p118")
    op("join_group", group="chat", user="p118")
    op("create_group", group="live12", kind="AVChatRoom", owner="u030")
    op("delete_group", group="live1")
    op("create_group", group="live12", kind="AVChatRoom", owner="u030")
    op("delete_group", group="live2")
    op("create_group", group="live12", kind="AVChatRoom", owner="u030")
    op("remove_friend", user="u001", friend="u004")
    op("delete_user", user="u001")
    at("2026-06-30T16:00:00Z")
    op("delete_group", group="chat")  # July; June had all of them


at("2026-01-30T02:00:00Z")
users()
friends()
groups()
days_and_months()
editions()

# ---------------------------------------------------------------- the model

NONE = float("inf")
ALIASES = {"Work": "Private", "Meeting": "ChatRoom"}
TYPE_CAP = {"Private": 200, "Public": 2000, "ChatRoom": 6000, "AVChatRoom": NONE, "BChatRoom": NONE}
COMMON = {"daily_groups": 10000, "daily_broadcast_rooms": 5, "broadcast_rooms": NONE}
EDITIONS = {
    "trial": COMMON | {"max_users": 100, "daily_users": 100, "friends": 20, "joined_groups": 50, "group_members": 20,
                       "av_chat_rooms": 10, "groups": 100000},
    "pro": COMMON | {"max_users": NONE, "daily_users": NONE, "friends": 3000, "joined_groups": 500,
                     "group_members": 200, "av_chat_rooms": 50, "groups": NONE},
    "flagship": COMMON | {"max_users": NONE, "daily_users": NONE, "friends": 3000, "joined_groups": 1000,
                          "group_members": 2000, "av_chat_rooms": NONE, "groups": NONE},
}


def day_of(line):
    utc = datetime.datetime.fromisoformat(line["at"])
    return (utc + datetime.timedelta(hours=8)).strftime("%Y-%m-%d")


class Model:
    """One app. Each operation returns its verdict; one that is not ALLOWED has changed nothing."""

    def __init__(self, edition, set_limits, groups_budget):
        self.set_limits, self.groups_budget = set_limits, groups_budget
        self.set_edition({"edition": edition})
        self.friends = {}  # the list of each user that exists
        self.groups = {}  # type, owner and members of each group that exists
        self.logins = defaultdict(set)  # distinct users of each day
        self.net = Counter()  # created less deleted, by day, and by day and type
        self.peak_groups = Counter()  # by month

    def set_edition(self, line):
        self.limits = EDITIONS[line["edition"]] | self.set_limits

    def run(self, trace):
        verdicts = defaultdict(Counter)
        month = day_of(trace[0])[:7]
        for line in trace:
            self.day = day_of(line)
            while month < self.day[:7]:
                year, number = int(month[:4]), int(month[5:])
                month = f"{year + number // 12}-{number % 12 + 1:02}"
                self.peak_groups[month] = len(self.groups)
            verdict = getattr(self, line["op"])(line)
            self.peak_groups[month] = max(self.peak_groups[month], len(self.groups))
            if line["op"] != "set_edition":
                verdicts[line["op"]][verdict] += 1
        peak = lambda month: max([len(users) for day, users in self.logins.items() if day[:7] == month], default=0)
        return {
            "operations": len(trace),
            "verdicts": verdicts,
            "usage": {
                "users": len(self.friends),
                "groups": len(self.groups),
                "memberships": sum(len(group["members"]) for group in self.groups.values()),
                "friend_entries": sum(map(len, self.friends.values())),
            },
            "user_days": sum(map(len, self.logins.values())),
            "months": [
                {"month": month, "peak_dau": peak(month), "peak_groups": peak_groups}
                for month, peak_groups in sorted(self.peak_groups.items())
            ],
        }

    def register_user(self, line):
        if line["user"] not in self.friends:
            if len(self.friends) >= self.limits["max_users"]:
                return "USER_LIMIT"
            self.friends[line["user"]] = set()
        return "ALLOWED"

    def delete_user(self, line):
        self.friends.pop(line["user"], None)
        for others in self.friends.values():
            others.discard(line["user"])
        for group in self.groups.values():
            group["members"].discard(line["user"])
        return "ALLOWED"

    def login(self, line):
        user, today = line["user"], self.logins[self.day]
        if user not in self.friends and len(self.friends) >= self.limits["max_users"]:
            return "USER_LIMIT"
        if user not in today and len(today) >= self.limits["daily_users"]:
            return "TRIAL_DAU_LIMIT"
        self.friends.setdefault(user, set())
        today.add(user)
        return "ALLOWED"

    def add_friend(self, line):
        user, friend = line["user"], line["friend"]
        if user not in self.friends or friend not in self.friends:
            return "USER_NOT_FOUND"
        own, peer = self.friends[user], self.friends[friend]
        if friend not in own and len(own) >= self.limits["friends"]:
            return "FRIEND_LIMIT"
        two_way = not line.get("one_way", False)
        if two_way and user not in peer and len(peer) >= self.limits["friends"]:
            return "PEER_FRIEND_LIMIT"
        own.add(friend)
        if two_way:
            peer.add(user)
        return "ALLOWED"

    def remove_friend(self, line):
        user, friend = line["user"], line["friend"]
        self.friends.get(user, set()).discard(friend)
        if not line.get("one_way", False):
            self.friends.get(friend, set()).discard(user)
        return "ALLOWED"

    def create_group(self, line):
        kind = ALIASES.get(line["type"], line["type"])
        if line["owner"] not in self.friends:
            return "USER_NOT_FOUND"
        if line["group"] in self.groups:
            return "ALLOWED" if self.groups[line["group"]]["owner"] == line["owner"] else "GROUP_EXISTS"
        if self.joined(line["owner"]) >= self.limits["joined_groups"]:
            return "JOINED_GROUP_LIMIT"
        existing = sum(group["kind"] == kind for group in self.groups.values())
        if kind == "AVChatRoom" and existing >= self.limits["av_chat_rooms"]:
            return "AV_CHAT_ROOM_LIMIT"
        if kind == "BChatRoom" and existing >= self.limits["broadcast_rooms"]:
            return "BROADCAST_ROOM_LIMIT"
        if kind == "BChatRoom" and self.net[self.day, kind] >= self.limits["daily_broadcast_rooms"]:
            return "DAILY_BROADCAST_LIMIT"
        if self.net[self.day] >= self.limits["daily_groups"]:
            return "DAILY_GROUP_LIMIT"
        if len(self.groups) >= self.limits["groups"]:
            return "TRIAL_GROUP_LIMIT"
        if len(self.groups) >= self.groups_budget:
            return "BUDGET_EXCEEDED"
        self.groups[line["group"]] = {"kind": kind, "owner": line["owner"], "members": {line["owner"]}}
        self.net[self.day] += 1
        self.net[self.day, kind] += 1
        for member in line.get("members", []):
            self.join_group({"group": line["group"], "user": member})
        return "ALLOWED"

    def delete_group(self, line):
        group = self.groups.pop(line["group"], None)
        if group:
            self.net[self.day] -= 1
            self.net[self.day, group["kind"]] -= 1
        return "ALLOWED"

    def join_group(self, line):
        if line["user"] not in self.friends:
            return "USER_NOT_FOUND"
        if line["group"] not in self.groups:
            return "GROUP_NOT_FOUND"
        group = self.groups[line["group"]]
        if line["user"] in group["members"]:
            return "ALLOWED"
        if self.joined(line["user"]) >= self.limits["joined_groups"]:
            return "JOINED_GROUP_LIMIT"
        if len(group["members"]) >= TYPE_CAP[group["kind"]]:
            return "GROUP_FULL"
        live = group["kind"] in ("AVChatRoom", "BChatRoom")
        if not live and len(group["members"]) >= self.limits["group_members"]:
            return "GROUP_MEMBER_LIMIT"
        group["members"].add(line["user"])
        return "ALLOWED"

    def leave_group(self, line):
        if line["group"] in self.groups:
            self.groups[line["group"]]["members"].discard(line["user"])
        return "ALLOWED"

    def joined(self, user):
        return sum(user in group["members"] for group in self.groups.values())


# ---------------------------------------------------------------- the answers

SMALL = {"max_users": "unlimited", "daily_users": 30, "friends": 5, "joined_groups": 10, "group_members": 12,
         "av_chat_rooms": 3, "daily_groups": 18, "daily_broadcast_rooms": 2, "groups": 22}
RUNS = [
    {"edition": "trial", "set": {}},
    {"edition": "pro", "set": {}},
    {"edition": "pro", "set": SMALL},
    {"edition": "trial", "set": {"broadcast_rooms": 4}},
    {"edition": "trial", "set": {}, "groups_budget": 30},
]


def answers():
    for run in RUNS:
        limits = {name: NONE if value == "unlimited" else value for name, value in run["set"].items()}
        model = Model(run["edition"], limits, run.get("groups_budget", NONE))
        yield run | {"report": model.run(lines)}


expected = list(answers())
reached = {reason for run in expected for counts in run["report"]["verdicts"].values() for reason in counts}
assert len(reached) == 1 + 16, reached
with open("every-reason.ndjson", "w") as file:
    file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
with open("every-reason.expected.json", "w") as file:
    file.write("[\n" + ",\n".join(map(json.dumps, expected)) + "\n]\n")
