// Runs the WebAssembly program and prints what it writes.
import { readFileSync, writeSync } from "node:fs";

const text = [];
const host = { put: (byte) => text.push(byte) };
const module = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host });
const result = module.instance.exports.main();
writeSync(1, Buffer.from(text));
process.exit(result);
