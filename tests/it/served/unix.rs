//! The gateway over its Unix socket, called by the path as gRPC's C-core does: in C++, Python, Ruby and PHP.

use super::{Served, output, path, python};

/// Calls, a stream, and paths that drive the gateway's name out of what the client remembers, so that it is said anew.
const SCRIPT: &str = r#"
import sys
import grpc
from gateway import api, services

def ask(number):
    return api.AdmitRequest(sdk_app_id=1, register_user=api.RegisterUser(user=f"user%2F{number}"))

def batches():
    for number in range(1, 21):
        yield api.AdmitBatchRequest(
            sdk_app_id=1, batch_id=number, operations=[api.Operation(login=api.Login(user="user%2F1"))]
        )

with grpc.insecure_channel("unix:" + sys.argv[1]) as channel:
    gateway = services.AdmissionServiceStub(channel)
    answers = [gateway.Admit(ask(number), timeout=20, wait_for_ready=True) for number in range(50)]
    print(sum(answer.outcome == api.ALLOWED for answer in answers), "allowed")
    print(sum(len(answer.results) for answer in gateway.AdmitStream(batches(), timeout=20)), "in a stream")
    refused = 0
    for number in range(40):
        nobody = channel.unary_unary(f"/nobody%2F/{number}" + "x" * 500)
        try:
            nobody(b"", timeout=20)
        except grpc.RpcError as error:
            refused += error.code() == grpc.StatusCode.UNIMPLEMENTED
    print(refused, "unknown")
    futures = [gateway.Admit.future(ask(number), timeout=20) for number in range(50)]
    print(sum(future.result().outcome == api.ALLOWED for future in futures), "again")
"#;

#[test]
fn python_needs_no_option_for_a_path() {
    let served = Served::start();
    served.done(&["app", "create", "1"]);
    let socket = served.dir.path().join("gate.sock");
    let mut script = python();
    script.env("PYTHONPATH", "examples/python");
    let (status, stdout, stderr) = output(script.args(["-c", SCRIPT, path(&socket)]));
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(stdout, "50 allowed\n20 in a stream\n40 unknown\n50 again\n");
}
