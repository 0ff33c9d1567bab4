import { expect, test } from "vitest";
import { smaller, storageError } from "./photo";

test.for([
  [4000, 3000, [1600, 1200]],
  [3000, 4000, [1200, 1600]],
  [800, 600, [800, 600]],
  [20_000, 1, [1600, 1]],
] as const)("a picture of %d × %d becomes %j", ([width, height, sides]) => {
  expect(smaller(width, height)).toEqual(sides);
});

test.for([
  [200, '{"Key":"photos/x"}', null],
  [400, '{"statusCode":"409","error":"Duplicate"}', null],
  [409, "", null],
  [0, "", "offline"],
  [502, "<html>", "offline"],
  [403, '{"message":"new row violates row-level security policy"}', "refused"],
  [400, '{"statusCode":"403","error":"Unauthorized"}', "refused"],
  [413, '{"message":"The object exceeded the maximum allowed size"}', "broken"],
  [401, "{}", "signed-out"],
] as const)("Storage's %d %s means %s", ([status, text, kind]) => {
  expect(storageError(status, text)?.kind ?? null).toBe(kind);
});
