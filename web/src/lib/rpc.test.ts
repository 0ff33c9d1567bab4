import { expect, test } from "vitest";
import { toRpcError } from "./rpc";

test.for([
  [{ message: "TypeError: Failed to fetch", code: "" }, 0, "offline", true],
  [{ message: "" }, 502, "offline", true],
  [{ code: "PGRST003", message: "pool" }, 504, "busy", true],
  [{ code: "57P01", message: "shutting down" }, 503, "busy", true],
  [{ code: "PT429", message: "slow down" }, 429, "busy", true],
  [{ code: "PT409", hint: "order.closed", message: "No." }, 409, "refused", false],
  [{ code: "23514", message: "check" }, 400, "refused", false],
  [{ code: "PGRST301", message: "JWT expired" }, 401, "signed-out", false],
  [{ code: "PGRST202", message: "no function" }, 404, "broken", false],
] as const)("%j with HTTP %d is %s", ([error, status, kind, canRepeat]) => {
  const made = toRpcError(error, status);
  expect([made.kind, made.canRepeat]).toEqual([kind, canRepeat]);
});

test("details are JSON, wherever they come from", () => {
  expect(toRpcError({ code: "PT409", details: '{"expected":"Packing"}' }, 409).details).toEqual({
    expected: "Packing",
  });
  expect(toRpcError({ code: "PT409", details: "plain words" }, 409).details).toEqual({});
});

test("a refused scan keeps its whole answer", () => {
  const answer = {
    ok: false,
    action: "refused",
    code: "PT409",
    hint: "scan.wrong_order",
    message: "Wrong ticket",
    details: {},
  };
  expect(toRpcError(answer, 409).scan).toMatchObject({ action: "refused", hint: "scan.wrong_order" });
});
