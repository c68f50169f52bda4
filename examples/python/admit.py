"""Asks a gateway as an IM server in Python would, before a user joins a group.

    pip install grpcio grpcio-tools
    python examples/python/admit.py [HOST:PORT | unix:///PATH] [APP]
"""

import sys

import grpc

from gateway import api, channel, services

# For a stranger's laptop: near its gateway, 0.1 is plenty for an IM server.
DEADLINE_SECONDS = 1


def may(gateway, request):
    """Whether the operation may happen, and the answer; fails open when there is none in time."""
    try:
        answer = gateway.Admit(request, timeout=DEADLINE_SECONDS)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            raise  # The request is wrong: repeating or allowing it would hide that.
        return True, None
    return answer.outcome == api.ALLOWED, answer


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7600"
    app = int(sys.argv[2]) if len(sys.argv) > 2 else 1400000001
    with channel(address) as connection:
        # The first call would else pay for the connection out of its deadline.
        grpc.channel_ready_future(connection).result(timeout=10)
        gateway = services.AdmissionServiceStub(connection)
        for user in ["alice", "bob"]:
            may(gateway, api.AdmitRequest(sdk_app_id=app, register_user=api.RegisterUser(user=user)))
        lobby = api.CreateGroup(group="lobby", type="Public", owner="alice")
        may(gateway, api.AdmitRequest(sdk_app_id=app, create_group=lobby))
        for user in ["bob", "carol"]:
            join = api.JoinGroup(group="lobby", user=user)
            allowed, answer = may(gateway, api.AdmitRequest(sdk_app_id=app, join_group=join))
            if allowed:
                print(f"{user} may join, says {'the gateway' if answer else 'nobody: failed open'}")
            else:
                reason = api.Reason.Name(answer.reason)
                print(f"{user} may not join: {reason} ({answer.im_error_code}): {answer.message}")


if __name__ == "__main__":
    main()
