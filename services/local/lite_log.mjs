// Loaded before lite: its log shall hold no secret. To stdout lite writes its keys and the mails
// that it does not deliver, codes and links included: dropped. To stderr go errors: the kind of
// each and where it happened, without the rows and parameters that hang on a database error.
import { format } from "node:util";

const SECRET = /sb_secret_[\w-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|postgres(?:ql)?:\/\/\S+/g;

process.stdout.write = (_chunk, encoding, done) => {
  const callback = typeof encoding === "function" ? encoding : done;
  if (callback) process.nextTick(callback);
  return true;
};

const plain = (value) => (value instanceof Error ? (value.stack ?? String(value)) : value);
console.error = console.warn = (...values) => {
  process.stderr.write(`${format(...values.map(plain)).replace(SECRET, "***")}\n`);
};
